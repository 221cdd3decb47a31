/** What is around the offices: paths, and what stands next to them. */

import type { Grounds } from "../grounds";
import { project } from "../scene";
import { sized } from "./canvas";
import { drawPaths } from "./grounds-paint";
import type { Pictures } from "./pictures";
import { SHADOW } from "./shade";

/** Draw the grounds into a picture of their own. */
export function drawGrounds(picture: HTMLCanvasElement, pictures: Pictures, grounds: Grounds): void {
  const { left, top, width, height } = grounds.bounds;
  const pen = sized(picture, width, height);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.setTransform(1, 0, 0, 1, -left, -top);
  drawPaths(pen, grounds);
  for (const { name, x, y } of grounds.things) {
    if (name !== "street-lamp") {
      const [px, py] = project({ x: x + 0.5, y: y + 0.5 });
      pen.fillStyle = SHADOW;
      pen.beginPath();
      pen.ellipse(px + 3, py + 1, 13, 6, 0, 0, 2 * Math.PI);
      pen.fill();
    }
    pictures.place(pen, name, x, y);
  }
}
