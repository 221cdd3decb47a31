/** Light and dark over what is drawn: the time of day, lamps, screens, offices without light. */

import { WALL } from "../atlas";
import type { Daylight } from "../daylight";
import type { Grounds } from "../grounds";
import type { Plan } from "../plan";
import { project, type Scene } from "../scene";

export const BLACKOUT = "rgb(96 92 140)";

/** Lay a light over everything that is drawn so far. */
export function tint(scene: CanvasRenderingContext2D, colour: string): void {
  scene.save();
  scene.globalCompositeOperation = "multiply";
  scene.setTransform(1, 0, 0, 1, 0, 0);
  scene.fillStyle = colour;
  scene.fillRect(0, 0, scene.canvas.width, scene.canvas.height);
  scene.restore();
}

/** The lamps outside shine on their paths. */
export function lightPaths(scene: CanvasRenderingContext2D, grounds: Grounds, { lamps }: Daylight): void {
  if (lamps < 0.1) {
    return;
  }
  scene.save();
  scene.globalCompositeOperation = "screen";
  for (const { name, x, y } of grounds.things) {
    if (name === "street-lamp") {
      const [px, py] = project({ x: x + 0.5, y: y + 0.5 });
      glow(scene, px, py - 8, 56, `rgb(255 196 104 / ${0.4 * lamps})`);
      glow(scene, px, py - 34, 14, `rgb(255 236 170 / ${0.8 * lamps})`);
    }
  }
  scene.restore();
}

/** Screens and lamps shine where it is dark. */
export function lightLamps(scene: CanvasRenderingContext2D, office: Scene, { lamps }: Daylight): void {
  if (lamps < 0.1) {
    return;
  }
  scene.save();
  scene.globalCompositeOperation = "screen";
  for (const { name, x, y } of office.plan.things) {
    if (name === "lamp") {
      const [px, py] = project({ x: x + 0.5, y: y + 0.5 });
      glow(scene, px, py - 22, 80, `rgb(255 196 104 / ${0.5 * lamps})`);
    }
  }
  for (const person of office.people.values()) {
    if (person.seated) {
      const [px, py] = project({ x: person.desk.x + 1, y: person.desk.y + 1 });
      const colour =
        person.kind === "error" ? "255 110 90" : person.kind === "idle" ? "120 150 220" : "150 220 255";
      glow(scene, px, py - 16, 40, `rgb(${colour} / ${0.42 * lamps})`);
    }
  }
  scene.restore();
}

/** Take the colour out of an office that nobody speaks for. */
export function drawVeil(pen: CanvasRenderingContext2D, { plan }: Scene): void {
  paintRoom(pen, plan, [
    ["saturation", "#808080"],
    ["source-over", "rgb(120 118 140 / 0.28)"],
  ]);
}

/** Put the lights out in one office while they are on in others; at night there is less of them to put out. */
export function drawDark(pen: CanvasRenderingContext2D, { plan }: Scene, lamps: number): void {
  paintRoom(pen, plan, [["multiply", lamps < 0.5 ? BLACKOUT : "rgb(150 146 180)"]]);
}

/** Lay colours over a room, its walls and whoever is in it. */
function paintRoom(
  pen: CanvasRenderingContext2D,
  { width, depth }: Plan,
  layers: readonly (readonly [GlobalCompositeOperation, string])[],
): void {
  const [left, front, right] = [
    project({ x: 0, y: depth }),
    project({ x: width, y: depth }),
    project({ x: width, y: 0 }),
  ];
  pen.save();
  pen.beginPath();
  pen.moveTo(0, -WALL - 4);
  pen.lineTo(right[0] + 2, right[1] - WALL - 4);
  pen.lineTo(right[0] + 2, right[1] + 8);
  pen.lineTo(front[0], front[1] + 8);
  pen.lineTo(left[0] - 2, left[1] + 8);
  pen.lineTo(left[0] - 2, left[1] - WALL - 4);
  pen.clip();
  const box = [left[0] - 2, -WALL - 4, right[0] - left[0] + 4, front[1] + WALL + 12] as const;
  for (const [operation, colour] of layers) {
    pen.globalCompositeOperation = operation;
    pen.fillStyle = colour;
    pen.fillRect(...box);
  }
  pen.restore();
}

function glow(pen: CanvasRenderingContext2D, x: number, y: number, radius: number, colour: string): void {
  const light = pen.createRadialGradient(x, y, 0, x, y, radius);
  light.addColorStop(0, colour);
  light.addColorStop(1, "rgb(0 0 0 / 0)");
  pen.fillStyle = light;
  pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
}
