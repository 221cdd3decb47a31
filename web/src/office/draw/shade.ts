/** Light and shade on the floor of a room: drawn once with it, below whatever stands there. */

import type { Plan, Spot } from "../plan";
import { project } from "../scene";

export const SHADOW = "rgb(40 24 48 / 0.2)";

/** Where walls and furniture take the light from the floor. */
export function drawShadows(pen: CanvasRenderingContext2D, { width, depth, things }: Plan): void {
  pen.fillStyle = SHADOW;
  const shade = (left: number, top: number, right: number, bottom: number) => {
    const [x, y] = [Math.min(right, width), Math.min(bottom, depth)];
    fill(pen, [
      { x: left, y: top },
      { x, y: top },
      { x, y },
      { x: left, y },
    ]);
  };
  shade(0, 0, width, 0.45);
  shade(0, 0, 0.45, depth);
  for (const thing of things) {
    shade(thing.x + 0.2, thing.y + 0.1, thing.x + thing.width + 0.3, thing.y + thing.depth + 0.1);
  }
}

/** Where the sun falls through the windows; `strength` from 0 to 1. */
export function drawSunlight(pen: CanvasRenderingContext2D, { windows }: Plan, strength: number): void {
  if (strength <= 0) {
    return;
  }
  pen.fillStyle = `rgb(255 246 196 / ${0.36 * strength})`;
  // Each is two panes wide, with the bar between them, and slants a little.
  for (const pane of [0.14, 0.53]) {
    for (const x of windows.right) {
      fill(pen, [
        { x: x + pane + 0.3, y: 0.5 },
        { x: x + pane + 0.63, y: 0.5 },
        { x: x + pane + 1.15, y: 2.3 },
        { x: x + pane + 0.82, y: 2.3 },
      ]);
    }
    for (const y of windows.left) {
      fill(pen, [
        { x: 0.5, y: y + pane + 0.1 },
        { x: 0.5, y: y + pane + 0.43 },
        { x: 1.9, y: y + pane + 0.73 },
        { x: 1.9, y: y + pane + 0.4 },
      ]);
    }
  }
}

function fill(pen: CanvasRenderingContext2D, corners: readonly Spot[]): void {
  pen.beginPath();
  for (const corner of corners) {
    pen.lineTo(...project(corner));
  }
  pen.fill();
}
