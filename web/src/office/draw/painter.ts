/**
 * Paints the office. Everything is drawn at scale 1 first, as pixels, and then enlarged by a whole number; only names and
 * figures are written at the screen's own size, so that they stay readable.
 */

import type { Sheets } from "../atlas";
import type { Building, Campus } from "../campus";
import { daylightAt, hourOf } from "../daylight";
import { sized } from "./canvas";
import { drawables } from "./figures";
import { drawFireflies, drawGardenLife } from "./garden-life";
import { drawMeadow } from "./grounds-paint";
import { writeLabels } from "./labels";
import { BLACKOUT, drawDark, drawVeil, lightLamps, lightPaths, tint } from "./lights";
import { drawGrounds } from "./outdoors";
import { drawEffects } from "./particles";
import { Pictures } from "./pictures";
import { Rooms } from "./rooms";
import type { View } from "./view";

export interface Moment {
  readonly now: Date;
  /** The agent that is looked at. */
  readonly selected: string | null;
  /** Whether nothing is to move. */
  readonly still: boolean;
  /** Whether it is night whatever the clock says. */
  readonly dark: boolean;
  /** Whether the lights are out, since nobody knows who is there. */
  readonly unlit: boolean;
}

const NIGHT_HOUR = 22;

export class Painter {
  readonly #canvas: HTMLCanvasElement;
  readonly #pen: CanvasRenderingContext2D;
  readonly #pictures: Pictures;
  readonly #rooms: Rooms;
  readonly #scene = document.createElement("canvas");
  readonly #grounds = document.createElement("canvas");
  readonly #meadow: CanvasPattern | null;
  #edition = 0;

  constructor(canvas: HTMLCanvasElement, sheets: Sheets) {
    const pen = canvas.getContext("2d");
    if (!pen) {
      throw new Error("This browser cannot draw the office.");
    }
    this.#canvas = canvas;
    this.#pen = pen;
    this.#pictures = new Pictures(sheets);
    this.#rooms = new Rooms(this.#pictures);
    this.#meadow = pen.createPattern(drawMeadow(), "repeat");
  }

  /** Paint a moment. */
  paint(campus: Campus, view: View, { now, selected, still, dark, unlit }: Moment): void {
    const hour = daylightAt(dark ? NIGHT_HOUR : hourOf(now));
    // With the gateway the lights go out.
    const lit = campus.buildings.some(({ scene }) => scene.gateway === "on") && !unlit;
    const daylight = lit ? hour : { ...hour, tint: BLACKOUT, lamps: 0.25 };
    this.#prepareGrounds(campus);
    const { width, height } = this.#canvas;
    // From afar it is drawn as small as it is seen: there are more pixels of the office than of the screen.
    const shrunk = Math.min(1, view.zoom);
    const grown = view.zoom / shrunk;
    const scene = sized(this.#scene, Math.ceil(width / grown) + 1, Math.ceil(height / grown) + 1);
    scene.imageSmoothingEnabled = shrunk < 1;
    const { origin } = campus.extent;
    const [left, top] = shrunk < 1 ? [view.x, view.y] : [Math.floor(view.x), Math.floor(view.y)];
    const go = (x: number, y: number) => {
      scene.setTransform(shrunk, 0, 0, shrunk, (x - left) * shrunk, (y - top) * shrunk);
    };
    const { garden } = campus;
    const { bounds } = garden.grounds;
    go(origin[0] + garden.x, origin[1] + garden.y);
    // There is grass wherever one looks.
    const meadow = {
      left: left - origin[0] - garden.x,
      top: top - origin[1] - garden.y,
      width: this.#scene.width / shrunk,
      height: this.#scene.height / shrunk,
    };
    scene.fillStyle = this.#meadow ?? "#8cc963";
    scene.fillRect(meadow.left, meadow.top, meadow.width, meadow.height);
    scene.drawImage(this.#grounds, bounds.left, bounds.top);
    const time = campus.buildings[0]?.scene.time ?? 0;
    // What lives there is too small to be seen from afar.
    const lively = !still && shrunk === 1;
    if (lively && daylight.lamps < 0.5) {
      drawGardenLife(scene, meadow, time);
    }
    if (daylight.lamps > 0) {
      tint(scene, daylight.outside);
    }
    const seen = campus.buildings.filter(({ host }) => this.#isSeen(campus, host, view));
    const enter = ({ x, y }: Building) => go(origin[0] + x, origin[1] + y);
    for (const building of seen) {
      const room = this.#rooms.roomOf(building, daylight, now);
      enter(building);
      scene.drawImage(room.picture, -room.origin[0], -room.origin[1]);
      for (const drawable of drawables(scene, this.#pictures, building.scene, selected, still)) {
        drawable.draw();
      }
    }
    tint(scene, daylight.tint);
    go(origin[0] + garden.x, origin[1] + garden.y);
    lightPaths(scene, garden.grounds, daylight);
    if (lively && daylight.lamps > 0.5) {
      drawFireflies(scene, meadow, time, garden.grounds);
    }
    for (const building of seen) {
      enter(building);
      if (campus.isAway(building.host)) {
        drawVeil(scene, building.scene);
      } else if (lit && building.scene.gateway !== "on") {
        drawDark(scene, building.scene, daylight.lamps);
      } else {
        lightLamps(scene, building.scene, daylight);
      }
    }
    for (const building of seen) {
      enter(building);
      drawEffects(scene, building.scene, still);
    }
    this.#pen.setTransform(1, 0, 0, 1, 0, 0);
    this.#pen.imageSmoothingEnabled = false;
    this.#pen.drawImage(
      this.#scene,
      0,
      0,
      this.#scene.width,
      this.#scene.height,
      (left - view.x) * view.zoom,
      (top - view.y) * view.zoom,
      this.#scene.width * grown,
      this.#scene.height * grown,
    );
    writeLabels(this.#pen, campus, view, selected);
  }

  /** Who stands at a point of the canvas, in device pixels; null for nobody. */
  personAt(campus: Campus, view: View, x: number, y: number): string | null {
    const { origin } = campus.extent;
    return campus.personAt(x / view.zoom + view.x - origin[0], y / view.zoom + view.y - origin[1]);
  }

  /** Whether any of an office lies within the picture. */
  #isSeen(campus: Campus, host: string | null, view: View): boolean {
    const { x, y, width, height } = campus.boxOf(host);
    const [right, bottom] = [
      view.x + this.#canvas.width / view.zoom,
      view.y + this.#canvas.height / view.zoom,
    ];
    return x < right && x + width > view.x && y < bottom && y + height > view.y;
  }

  /** Draw what is around the offices once, and again when something is elsewhere. */
  #prepareGrounds(campus: Campus): void {
    if (campus.edition === this.#edition) {
      return;
    }
    this.#edition = campus.edition;
    this.#rooms.keep(new Set(campus.buildings.map(({ host }) => host)));
    drawGrounds(this.#grounds, this.#pictures, campus.garden.grounds);
  }
}
