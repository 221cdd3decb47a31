import { expect, test } from "vitest";
import { thoughtOf } from "../../src/office/bubbles";
import { drawFireflies } from "../../src/office/draw/garden-life";
import { groundsFor, tilesWithin } from "../../src/office/grounds";
import { Person } from "../../src/office/person";
import { planFor } from "../../src/office/plan";
import { project } from "../../src/office/scene";

test("the tiles within some pixels are seen as a whole, and told from the back", () => {
  const bounds = { left: -100, top: -60, width: 333, height: 222 };
  const tiles = [...tilesWithin(bounds)];
  expect(tiles.length).toBeGreaterThan(100);
  expect(new Set(tiles.map(({ x, y }) => `${x} ${y}`)).size).toBe(tiles.length);
  for (const [place, tile] of tiles.entries()) {
    const [x, y] = project(tile);
    expect(x - 16 >= bounds.left && x + 16 <= bounds.left + bounds.width).toBe(true);
    expect(y >= bounds.top && y + 16 <= bounds.top + bounds.height).toBe(true);
    const before = tiles[place - 1] ?? tile;
    expect(before.x + before.y <= tile.x + tile.y).toBe(true);
  }
});

test("fireflies glow, but never before an office", () => {
  const plan = planFor(12);
  const grounds = groundsFor([plan]);
  const [plot] = grounds.plots;
  const glows: [number, number][] = [];
  const pen = {
    fillRect: (x: number, y: number, width: number) => width === 1 && glows.push([x, y]),
  } as unknown as CanvasRenderingContext2D;
  for (let time = 0; time < 30; time += 1) {
    drawFireflies(pen, grounds.bounds, time, grounds);
  }
  expect(glows.length).toBeGreaterThan(100);
  const inside = glows.filter(([px, py]) => {
    const [x, y] = [(py / 8 + px / 16) / 2, (py / 8 - px / 16) / 2];
    return plot && x > plot.x && y > plot.y && x < plot.x + plot.width && y < plot.y + plot.depth;
  });
  expect(inside).toEqual([]);
});

test("who needs somebody always shows it; others have something in their minds now and then, or nothing moves", () => {
  const plan = planFor(4);
  const [desk] = plan.desks;
  if (!desk) {
    throw new Error("There is no desk.");
  }
  const scout = new Person("scout", plan, desk, true);
  const minds = (time: number | null) => thoughtOf(scout, time);
  scout.become("waiting");
  expect([minds(null), minds(3)]).toEqual(["call", "call"]);
  scout.become("error");
  expect([minds(null), minds(3)]).toEqual(["fault", "fault"]);
  const busy = new Person("scout", plan, desk, true);
  busy.become("busy");
  expect(thoughtOf(busy, null)).toBeNull();
  const seen = Array.from({ length: 120 }, (_, second) => thoughtOf(busy, second));
  expect(seen).toContain(null);
  expect(seen.some((thought) => thought !== null)).toBe(true);
});
