/** The pictures of furniture and people, put down where they belong. */

import { FURNITURE, type FurnitureName, type Sheets } from "../atlas";
import { Figure, lookOf } from "../look";
import { project } from "../scene";
import { PAINTS, repainted } from "./grounds-paint";

export class Pictures {
  readonly #sheets: Sheets;
  readonly #figures = new Map<string, Figure>();
  readonly #walls = new Map<number, CanvasImageSource>();

  constructor(sheets: Sheets) {
    this.#sheets = sheets;
  }

  /** The figure of an agent, which is the same each time. */
  figureOf(id: string): Figure {
    let figure = this.#figures.get(id);
    if (!figure) {
      figure = new Figure(lookOf(id), this.#sheets.people);
      this.#figures.set(id, figure);
    }
    return figure;
  }

  /** The furniture with the walls in the colour of a host; null for the usual colour. */
  furniture(hue: number | null): CanvasImageSource {
    if (hue === null) {
      return this.#sheets.furniture;
    }
    const walls = this.#walls.get(hue) ?? repainted(this.#sheets.furniture, PAINTS[hue]?.wall ?? "#ffffff");
    this.#walls.set(hue, walls);
    return walls;
  }

  /** Draw a piece of furniture at a place of the floor. */
  place(
    pen: CanvasRenderingContext2D,
    name: FurnitureName,
    x: number,
    y: number,
    sheet: CanvasImageSource = this.#sheets.furniture,
  ): void {
    const [sx, sy, width, height, ax, ay] = FURNITURE[name];
    const [px, py] = project({ x, y });
    pen.drawImage(sheet, sx, sy, width, height, Math.round(px - ax), Math.round(py - ay), width, height);
  }

  /** Draw it as in a mirror. */
  placeMirrored(pen: CanvasRenderingContext2D, name: FurnitureName, x: number, y: number): void {
    const [sx, sy, width, height, ax, ay] = FURNITURE[name];
    const [px, py] = project({ x, y });
    pen.save();
    pen.translate(Math.round(px), Math.round(py));
    pen.scale(-1, 1);
    pen.drawImage(this.#sheets.furniture, sx, sy, width, height, -ax, -ay, width, height);
    pen.restore();
  }
}
