/** The rooms: sky, walls, floor, and what hangs on the walls; each is drawn once, and again when it has changed. */

import { FURNITURE, WALL } from "../atlas";
import type { Building } from "../campus";
import type { Daylight } from "../daylight";
import type { Plan } from "../plan";
import { extentOf, project } from "../scene";
import { sized } from "./canvas";
import type { Pictures } from "./pictures";
import { drawShadows, drawSunlight } from "./shade";

/** A room without people, as it was last drawn. */
export interface Room {
  readonly key: string;
  readonly picture: HTMLCanvasElement;
  readonly origin: readonly [number, number];
}

export class Rooms {
  readonly #pictures: Pictures;
  readonly #rooms = new Map<string | null, Room>();

  constructor(pictures: Pictures) {
    this.#pictures = pictures;
  }

  /** Keep the rooms of these hosts alone. */
  keep(hosts: ReadonlySet<string | null>): void {
    for (const host of this.#rooms.keys()) {
      if (!hosts.has(host)) {
        this.#rooms.delete(host);
      }
    }
  }

  /** Floor and walls, drawn once, and again when the plan or the sky has changed. */
  roomOf({ host, scene: office, hue }: Building, daylight: Daylight, now: Date): Room {
    const key = `${office.edition} ${daylight.skyTop} ${now.getMinutes()} ${office.gateway} ${hue}`;
    const known = this.#rooms.get(host);
    if (known?.key === key) {
      return known;
    }
    const { width, height, origin } = extentOf(office.plan);
    const room = { key, origin, picture: known?.picture ?? document.createElement("canvas") };
    this.#rooms.set(host, room);
    const pen = sized(room.picture, width, height);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.setTransform(1, 0, 0, 1, origin[0], origin[1]);
    this.#drawRoom(pen, office.plan, hue, daylight, now);
    return room;
  }

  #drawRoom(
    pen: CanvasRenderingContext2D,
    plan: Plan,
    hue: number | null,
    daylight: Daylight,
    now: Date,
  ): void {
    const pictures = this.#pictures;
    const walls = pictures.furniture(hue);
    drawSky(pen, daylight, plan.width, plan.depth);
    for (let y = plan.depth - 1; y >= 0; y -= 1) {
      pictures.place(pen, plan.windows.left.has(y) ? "window-left" : "wall-left", 0, y, walls);
    }
    for (let x = plan.width - 1; x >= 0; x -= 1) {
      pictures.place(pen, plan.windows.right.has(x) ? "window-right" : "wall-right", x, 0, walls);
    }
    pictures.place(pen, "corner", 0, 0, walls);
    for (let x = 0; x < plan.width; x += 1) {
      for (let y = 0; y < plan.depth; y += 1) {
        pictures.place(pen, (x + y) % 2 ? "floor-1" : "floor-2", x, y);
      }
    }
    for (const { name, from, to } of plan.carpets) {
      for (let x = from.x; x <= to.x; x += 1) {
        for (let y = from.y; y <= to.y; y += 1) {
          pictures.place(pen, name, x, y);
        }
      }
    }
    drawShadows(pen, plan);
    drawSunlight(pen, plan, 1 - 3 * daylight.lamps);
    drawEdge(pen, plan.width, plan.depth);
    for (const { name, x } of plan.right) {
      pictures.place(pen, name, x, 0);
      if (name === "clock") {
        drawHands(pen, x, now);
      }
    }
    for (const { name, y } of plan.left) {
      pictures.placeMirrored(pen, name, 0, y);
    }
  }
}

function drawSky(
  pen: CanvasRenderingContext2D,
  { skyTop, skyBottom, stars }: Daylight,
  width: number,
  depth: number,
): void {
  const sky = pen.createLinearGradient(0, -WALL, 0, 0);
  sky.addColorStop(0, skyTop);
  sky.addColorStop(1, skyBottom);
  pen.fillStyle = sky;
  const [left, right] = [project({ x: 0, y: depth }), project({ x: width, y: 0 })];
  pen.beginPath();
  pen.moveTo(0, 2 - WALL);
  pen.lineTo(right[0] - 1, right[1] - WALL + 3);
  pen.lineTo(right[0] - 1, right[1] - 2);
  pen.lineTo(0, 0);
  pen.lineTo(left[0] + 1, left[1] - 2);
  pen.lineTo(left[0] + 1, left[1] - WALL + 3);
  pen.fill();
  if (stars) {
    pen.fillStyle = "#fff8d0";
    for (let star = 0; star < (width + depth) * 3; star += 1) {
      const x = left[0] + ((star * 37) % (right[0] - left[0]));
      pen.fillRect(x, Math.abs(x) / 2 - 24 - ((star * 13) % 20), 1, 1);
    }
  }
}

/** The slab that the floor lies on, seen at its two front edges. */
function drawEdge(pen: CanvasRenderingContext2D, width: number, depth: number): void {
  const [left, front, right] = [
    project({ x: 0, y: depth }),
    project({ x: width, y: depth }),
    project({ x: width, y: 0 }),
  ];
  for (const [from, colour] of [
    [left, "#8a5330"],
    [right, "#6d4025"],
  ] as const) {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.moveTo(from[0], from[1]);
    pen.lineTo(front[0], front[1]);
    pen.lineTo(front[0], front[1] + 7);
    pen.lineTo(from[0], from[1] + 7);
    pen.fill();
  }
  pen.fillStyle = "#3a2233";
  pen.fillRect(left[0] - 1, left[1] - WALL, 1, WALL + 7);
  pen.fillRect(right[0], right[1] - WALL, 1, WALL + 7);
  pen.strokeStyle = "#3a2233";
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(left[0] + 0.5, left[1] + 7.5);
  pen.lineTo(front[0], front[1] + 7.5);
  pen.lineTo(right[0] - 0.5, right[1] + 7.5);
  pen.stroke();
}

function drawHands(pen: CanvasRenderingContext2D, x: number, now: Date): void {
  const [left, top, , , ax, ay] = [0, 0, 0, 0, FURNITURE.clock[4], FURNITURE.clock[5]];
  const [px, py] = project({ x, y: 0 });
  const [cx, cy] = [px - ax + left + 10, py - ay + top + 12];
  pen.strokeStyle = "#3a2233";
  for (const [turn, length] of [
    [(now.getHours() % 12) / 12 + now.getMinutes() / 720, 3],
    [now.getMinutes() / 60, 5],
  ] as const) {
    pen.beginPath();
    pen.moveTo(cx, cy);
    pen.lineTo(cx + Math.sin(turn * 2 * Math.PI) * length, cy - Math.cos(turn * 2 * Math.PI) * length);
    pen.stroke();
  }
}
