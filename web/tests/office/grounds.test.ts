import { describe, expect, test } from "vitest";
import { type Area, groundsFor, isPaved } from "../../src/office/grounds";
import { planFor } from "../../src/office/plan";

const FLEETS: readonly (readonly number[])[] = [
  [6, 4],
  [1, 120],
  [8, 3, 12],
  [5, 5, 5, 5],
  [6, 9, 4, 12, 2, 7],
  [25, 25, 25, 25, 25, 25, 25, 25],
];

function overlap(one: Area, other: Area, apart: number): boolean {
  return (
    one.x < other.x + other.width + apart &&
    other.x < one.x + one.width + apart &&
    one.y < other.y + other.depth + apart &&
    other.y < one.y + one.depth + apart
  );
}

describe.each(FLEETS)("a campus for offices of %i, %i and others", (...people) => {
  const plans = people.map((count, place) => planFor(count, `host-${place}`));
  const grounds = groundsFor(plans);

  test("has a plot of its size for each office, inside", () => {
    expect(grounds.plots.map(({ width, depth }) => [width, depth])).toEqual(
      plans.map(({ width, depth }) => [width, depth]),
    );
    for (const { x, y, width, depth } of grounds.plots) {
      expect(x > 0 && y > 0 && x + width < grounds.width && y + depth < grounds.depth).toBe(true);
    }
  });

  test("keeps the offices so far apart that no wall hides another's floor", () => {
    grounds.plots.forEach((plot, place) => {
      for (const other of grounds.plots.slice(place + 1)) {
        expect(overlap(plot, other, 4)).toBe(false);
      }
    });
  });

  test("has no path and no tree in an office, and no tree on a path", () => {
    for (const plot of grounds.plots) {
      expect(grounds.paths.some((path) => overlap(plot, path, 0))).toBe(false);
      expect(grounds.things.some((thing) => overlap(plot, thing, 0))).toBe(false);
    }
    expect(grounds.things.some(({ x, y }) => isPaved(grounds, x, y))).toBe(false);
  });

  test("has them from left to right as they are given, and is the same each time", () => {
    const columns = grounds.plots.map(({ x, y }) => x - y);
    expect([...columns].sort((a, b) => a - b)).toEqual(columns);
    expect(groundsFor(plans)).toEqual(grounds);
  });
});
