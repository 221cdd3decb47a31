/** Paints what lies around the office, or between those of a campus, and their signs. */

import { TILE } from "../atlas";
import { type Grounds, isPaved, scatter, tilesWithin } from "../grounds";
import { project } from "../scene";

/** The colours of a host, by its hue: those of `.hue-…` in the style sheet for its sign, and pale for its walls. */
export const PAINTS: readonly { readonly sign: string; readonly wall: string }[] = [
  { sign: "#f6a5a0", wall: "#ffd0c8" },
  { sign: "#f7c27d", wall: "#ffdca8" },
  { sign: "#f3e17c", wall: "#fff3a8" },
  { sign: "#b4dd85", wall: "#d4f0b4" },
  { sign: "#86d9bf", wall: "#b6ecd8" },
  { sign: "#8fc9ef", wall: "#c0e2fa" },
  { sign: "#b3b4f2", wall: "#d2d2fb" },
  { sign: "#e6aee0", wall: "#f6cdf0" },
];

const GRASS = ["#8cc963", "#84c25c"] as const;
const TUFTS = ["#6fae4b", "#a5dc7c"] as const;
const PETALS = ["#ffffff", "#ffe27a", "#f6a5c0"] as const;
const STONE = ["#ead9b4", "#e2cfa6"] as const;
const SEAM = "#cdb788";
const OUTLINE = "#3a2233";
const PIXEL = '"Jersey 10", ui-rounded, "Segoe UI", system-ui, sans-serif';

/** So many tiles of grass are drawn along each side; then it is the same again. */
const MEADOW = 24;

/** A piece of grass that can be laid side by side without end, from an upper corner of a tile on. */
export function drawMeadow(): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = 2 * MEADOW * TILE;
  canvas.height = MEADOW * TILE;
  const pen = canvas.getContext("2d");
  if (pen) {
    const { width, height } = canvas;
    const bounds = { left: -2 * TILE, top: -TILE, width: width + 4 * TILE, height: height + 2 * TILE };
    const around = (place: number) => (place + 2 * MEADOW) % MEADOW;
    for (const { x, y } of tilesWithin(bounds)) {
      fillTile(pen, x, y, GRASS[(x + y) & 1] ?? GRASS[0]);
    }
    for (const { x, y } of tilesWithin(bounds)) {
      drawBlades(pen, x, y, scatter(around(x), around(y)));
    }
  }
  return canvas;
}

/** A tuft or two flowers on a tile, on some of them. */
function drawBlades(pen: CanvasRenderingContext2D, x: number, y: number, chance: number): void {
  const [px, py] = project({ x, y });
  if (chance < 0.34) {
    pen.fillStyle = TUFTS[chance < 0.2 ? 0 : 1];
    const [left, top] = [px - 6 + ((chance * 97) % 10), py + 5 + ((chance * 53) % 6)];
    pen.fillRect(Math.round(left), Math.round(top), 1, 2);
    pen.fillRect(Math.round(left) + 2, Math.round(top) - 1, 1, 3);
  } else if (chance > 0.95) {
    pen.fillStyle = PETALS[Math.floor(chance * 1000) % PETALS.length] ?? "#ffffff";
    const [left, top] = [Math.round(px - 4), Math.round(py + 6)];
    pen.fillRect(left, top, 2, 2);
    pen.fillRect(left + 5, top + 3, 2, 2);
    pen.fillStyle = "#5c9a3c";
    pen.fillRect(left, top + 2, 1, 2);
    pen.fillRect(left + 5, top + 5, 1, 2);
  }
}

/** The paths through the grass. */
export function drawPaths(pen: CanvasRenderingContext2D, grounds: Grounds): void {
  for (const { x, y } of tilesWithin(grounds.bounds)) {
    if (isPaved(grounds, x, y)) {
      fillTile(pen, x, y, STONE[(x + y) & 1] ?? STONE[0]);
      drawSeams(pen, grounds, x, y);
    }
  }
}

function fillTile(pen: CanvasRenderingContext2D, x: number, y: number, colour: string): void {
  const [px, py] = project({ x, y });
  pen.fillStyle = colour;
  // In rows of pixels, since the edges of a filled path would be soft and show as seams.
  for (let row = 0; row < 16; row += 1) {
    const half = 2 * Math.min(row + 1, 16 - row);
    pen.fillRect(px - half, py + row, 2 * half, 1);
  }
}

/** A darker line where stone meets grass. */
function drawSeams(pen: CanvasRenderingContext2D, grounds: Grounds, x: number, y: number): void {
  const [px, py] = project({ x, y });
  pen.fillStyle = SEAM;
  for (const [dx, dy, side, below] of [
    [-1, 0, -1, false],
    [0, -1, 1, false],
    [1, 0, 1, true],
    [0, 1, -1, true],
  ] as const) {
    if (!isPaved(grounds, x + dx, y + dy)) {
      for (let step = 0; step < 8; step += 1) {
        const across = below ? 16 - 2 * step - 2 : 2 * step;
        pen.fillRect(px + side * across - (side < 0 ? 2 : 0), py + (below ? 8 : 0) + step, 2, 1);
      }
    }
  }
}

/** The same pictures in another light, as of coloured walls. */
export function repainted(sheet: HTMLImageElement, colour: string): CanvasImageSource {
  const copy = document.createElement("canvas");
  copy.width = sheet.naturalWidth;
  copy.height = sheet.naturalHeight;
  const pen = copy.getContext("2d");
  if (!pen) {
    return sheet;
  }
  pen.drawImage(sheet, 0, 0);
  pen.globalCompositeOperation = "multiply";
  pen.fillStyle = colour;
  pen.fillRect(0, 0, copy.width, copy.height);
  pen.globalCompositeOperation = "destination-in";
  pen.drawImage(sheet, 0, 0);
  return copy;
}

/** What the sign over an office says. */
export interface Sign {
  readonly name: string;
  readonly note: string;
  readonly colour: string;
  /** Whether somebody there needs a person. */
  readonly calls: boolean;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const LONGEST_NAME = 22;

/** A board on two posts over a corner of the walls; `x` and `y` are where it stands. Returns the space that it takes. */
export function drawSign(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  { name, note, colour, calls }: Sign,
  scale: number,
): Box {
  const signs = [...name];
  const title = signs.length > LONGEST_NAME ? `${signs.slice(0, LONGEST_NAME - 1).join("")}…` : name;
  const titleFont = `400 ${Math.round(19 * scale)}px ${PIXEL}`;
  const noteFont = `400 ${Math.round(14 * scale)}px ${PIXEL}`;
  pen.font = noteFont;
  const noteWidth = pen.measureText(note).width;
  pen.font = titleFont;
  const width = Math.round(
    Math.max(pen.measureText(title).width + (calls ? 22 * scale : 0), noteWidth) + 20 * scale,
  );
  const height = Math.round(34 * scale);
  const [left, top] = [Math.round(x - width / 2), Math.round(y - height + 2 * scale)];
  const line = Math.max(1, Math.round(2 * scale));
  pen.fillStyle = OUTLINE;
  for (const side of [0.22, 0.78]) {
    pen.fillRect(
      Math.round(left + width * side - 2 * scale),
      top + height,
      Math.round(4 * scale),
      Math.round(9 * scale),
    );
  }
  pen.beginPath();
  pen.roundRect(left, top, width, height, 6 * scale);
  pen.fillStyle = "#5c3a21";
  pen.fill();
  pen.beginPath();
  pen.roundRect(left + line, top + line, width - 2 * line, height - 2 * line, 4 * scale);
  pen.fillStyle = "#fffaec";
  pen.fill();
  pen.beginPath();
  pen.roundRect(left + line, top + line, width - 2 * line, 17 * scale, [4 * scale, 4 * scale, 0, 0]);
  pen.fillStyle = colour;
  pen.fill();
  pen.fillStyle = "#33210f";
  pen.fillText(title, x - (calls ? 9 * scale : 0), top + 11 * scale);
  if (calls) {
    const [cx, cy] = [left + width - 14 * scale, top + 10.5 * scale];
    pen.fillStyle = "#b3211c";
    pen.beginPath();
    pen.roundRect(cx - 6 * scale, cy - 7 * scale, 12 * scale, 14 * scale, 3 * scale);
    pen.fill();
    pen.fillStyle = "#ffffff";
    pen.fillText("!", cx, cy);
  }
  pen.font = noteFont;
  pen.fillStyle = "#3a2617";
  pen.fillText(note, x, top + 25.5 * scale);
  return { left, top, width, height };
}
