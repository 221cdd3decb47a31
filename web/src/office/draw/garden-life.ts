/**
 * What moves on the grass: clouds throw their shadows and butterflies fly by day, fireflies glow at night. It means
 * nothing, and follows from the time alone, so that nothing has to be kept.
 */

import { TILE, WALL } from "../atlas";
import { type Bounds, type Grounds, scatter } from "../grounds";

/** Each field of grass, so many pixels large, has so many of its own. */
const FIELD = { width: 260, height: 170 } as const;
const BUTTERFLIES = 3;
const FIREFLIES = 9;
const WINGS = ["#ffffff", "#ffe27a", "#f6a5c0", "#b9d4ff"] as const;
/** The clouds go so many pixels a second, and the next one comes after so many. */
const WIND = 9;
const CLOUDS = { width: 900, height: 420 } as const;
/** So far behind an office its walls hide the grass, in half tiles. */
const BEHIND = (2 * WALL) / TILE;

/** Draw what anything may hide; `seen` is what is in the picture. */
export function drawGardenLife(pen: CanvasRenderingContext2D, seen: Bounds, time: number): void {
  pen.fillStyle = "rgb(30 50 60 / 0.09)";
  for (const { x, y, chance } of within(seen, CLOUDS, 1, 200, time * WIND)) {
    pen.beginPath();
    for (const [dx, dy, rx, ry] of [
      [0, 0, 110, 34],
      [70, -18, 70, 26],
      [-60, 16, 66, 22],
    ] as const) {
      const size = 0.7 + 0.6 * chance;
      pen.moveTo(x + (dx + rx) * size, y + dy * size);
      pen.ellipse(x + dx * size, y + dy * size, rx * size, ry * size, 0, 0, 2 * Math.PI);
    }
    pen.fill();
  }
  for (const one of within(seen, FIELD, BUTTERFLIES, 40)) {
    const [x, y] = flutter(one, time * 0.4, 26);
    const open = Math.floor(time * 7 + 9 * one.chance) % 2;
    pen.fillStyle = WINGS[Math.floor(one.chance * WINGS.length)] ?? "#ffffff";
    pen.fillRect(x - 1 - open, y - 2, 1 + open, 3);
    pen.fillRect(x + 1, y - 2, 1 + open, 3);
    pen.fillStyle = "#3a2233";
    pen.fillRect(x, y - 1, 1, 3);
  }
}

/** Draw what glows by itself: when the light lies over everything, and therefore nowhere before an office. */
export function drawFireflies(
  pen: CanvasRenderingContext2D,
  seen: Bounds,
  time: number,
  { plots }: Grounds,
): void {
  for (const one of within(seen, FIELD, FIREFLIES, 40)) {
    const glow = Math.sin(time * 1.1 + one.chance * 40);
    const [x, y] = flutter(one, time * 0.25, 18);
    const [u, v] = [(2 * y + x) / TILE, (2 * y - x) / TILE];
    const hidden = plots.some(
      (plot) =>
        u > 2 * plot.x - BEHIND &&
        v > 2 * plot.y - BEHIND &&
        u < 2 * (plot.x + plot.width) + 1 &&
        v < 2 * (plot.y + plot.depth) + 1,
    );
    if (glow > 0 && !hidden) {
      pen.fillStyle = `rgb(226 255 140 / ${0.25 * glow})`;
      pen.fillRect(x - 2, y - 1, 5, 3);
      pen.fillRect(x - 1, y - 2, 3, 5);
      pen.fillStyle = `rgb(246 255 190 / ${glow})`;
      pen.fillRect(x, y, 1, 1);
    }
  }
}

interface Midge {
  readonly x: number;
  readonly y: number;
  readonly chance: number;
}

/** So many in each field that is seen, or that they reach out of; the fields go by where there is wind. */
function* within(
  { left, top, width, height }: Bounds,
  field: Pick<Bounds, "width" | "height">,
  count: number,
  reach: number,
  wind = 0,
): Generator<Midge> {
  const columns = [left - reach - wind, left + width + reach - wind].map((x) => Math.floor(x / field.width));
  const rows = [top - reach, top + height + reach].map((y) => Math.floor(y / field.height));
  for (let column = columns[0] ?? 0; column <= (columns[1] ?? 0); column += 1) {
    for (let row = rows[0] ?? 0; row <= (rows[1] ?? 0); row += 1) {
      for (let one = 0; one < count; one += 1) {
        const chance = scatter(7 * column + one, row);
        yield {
          x: (column + chance) * field.width + wind,
          y: (row + scatter(row, 5 * column + one)) * field.height,
          chance,
        };
      }
    }
  }
}

/** Where somebody with wings is, around a place of its own. */
function flutter({ x, y, chance }: Midge, time: number, reach: number): readonly [number, number] {
  const phase = chance * 20;
  return [
    Math.round(x + reach * (Math.sin(time + phase) + 0.5 * Math.sin(2.3 * time + 2 * phase))),
    Math.round(y + reach * 0.6 * Math.sin(1.4 * time + 3 * phase)),
  ];
}
