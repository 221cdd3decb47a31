import { describe, expect, test } from "vitest";
import { planFor, wayBetween } from "../../src/office/plan";

describe.each([0, 1, 4, 12, 50, 200])("an office for %i", (people) => {
  const plan = planFor(people);

  test("has a desk for everybody, inside the room", () => {
    expect(plan.desks.length).toBeGreaterThanOrEqual(people);
    for (const { x, y, seat } of plan.desks) {
      expect(x >= 0 && x + 2 <= plan.width && y >= 0 && y < plan.depth).toBe(true);
      expect(seat.x >= 0 && seat.y >= 0 && seat.y < plan.depth).toBe(true);
    }
  });

  test("has nothing standing in anything else", () => {
    const tiles = plan.things.flatMap(({ x, y, width, depth }) =>
      Array.from({ length: width * depth }, (_, n) => `${x + (n % width)} ${y + Math.floor(n / width)}`),
    );
    expect(new Set(tiles).size).toBe(tiles.length);
  });

  test("lets everybody walk from the door to the desk, and on to every haunt", () => {
    for (const { seat } of plan.desks) {
      expect(wayBetween(plan, plan.door, seat).length).toBeGreaterThan(1);
    }
    for (const haunt of plan.haunts) {
      expect(plan.free(haunt.x, haunt.y), `${haunt.x} ${haunt.y}`).toBe(true);
      const way = wayBetween(plan, plan.door, haunt);
      expect(way.every(({ x, y }) => plan.free(x, y))).toBe(true);
    }
  });
});

test("a way goes step by step, and ends where it is to", () => {
  const plan = planFor(12);
  const to = plan.desks[7]?.seat ?? plan.door;
  const way = wayBetween(plan, plan.door, to);
  expect(way.at(-1)).toEqual(to);
  let at = plan.door;
  for (const next of way.slice(0, -1)) {
    expect(Math.abs(next.x - at.x) + Math.abs(next.y - at.y)).toBe(1);
    at = next;
  }
});
