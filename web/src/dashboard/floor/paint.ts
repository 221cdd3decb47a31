/**
 * Paints the office. Everything is drawn at scale 1 first, as pixels, and then enlarged by a whole number; only names and
 * figures are written at the screen's own size, so that they stay readable.
 */

import type { Agent } from "../../client/state/index";
import type { Kind } from "../../client/status";
import { SIGNS, taskOf, textOf } from "../agent-words";
import { needsPerson } from "../attention";
import { silenceWord } from "../host-watch";
import { FURNITURE, type FurnitureName, type Sheets, WALL } from "./atlas";
import { drawThought } from "./bubbles";
import type { Building, Campus } from "./campus";
import type { Cat } from "./cat";
import { type Daylight, daylightAt, hourOf } from "./daylight";
import { drawFireflies, drawGardenLife } from "./garden-life";
import type { Grounds } from "./grounds";
import { drawMeadow, drawPaths, drawSign, PAINTS, repainted, type Sign } from "./grounds-paint";
import { Figure, lookOf } from "./look";
import type { Person } from "./person";
import type { Desk, Plan } from "./plan";
import { type Alarm, extentOf, project, type Scene } from "./scene";
import { drawShadows, drawSunlight, SHADOW } from "./shade";

export interface View {
  /** Device pixels for one pixel of the office: a whole number, but for what is seen from afar, or on the way there. */
  readonly zoom: number;
  /** Which pixel of the office lies at the canvas's upper left corner. */
  readonly x: number;
  readonly y: number;
}

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
const BLACKOUT = "rgb(96 92 140)";

const INKS: Readonly<Record<Kind, string>> = {
  busy: "#1f6fb5",
  idle: "#7a5c00",
  online: "#2b7a3d",
  offline: "#66605a",
  waiting: "#a64500",
  error: "#b3211c",
  unknown: "#6d5a85",
};
/** The paper of a name plate whose owner has crossed a budget. */
const ALARMS: Readonly<Record<Alarm, string>> = { warning: "#ffcf70", critical: "#ff9d90" };
/** The paper of those whom nobody speaks for. */
const AWAY = "#cfcbc6";
const LONGEST_NAME = 12;
const LONGEST_TASK = 22;
const READABLE = 'ui-rounded, "SF Pro Rounded", "Segoe UI", system-ui, sans-serif';
/** Those at rest, and those who are away, have no task to show. */
const AT_WORK: ReadonlySet<Kind> = new Set(["busy", "online", "waiting", "error"]);

/** A room without people, as it was last drawn. */
interface Room {
  readonly key: string;
  readonly picture: HTMLCanvasElement;
  readonly origin: readonly [number, number];
}

interface Drawable {
  readonly depth: number;
  draw(): void;
}

export class Painter {
  readonly #canvas: HTMLCanvasElement;
  readonly #pen: CanvasRenderingContext2D;
  readonly #sheets: Sheets;
  readonly #scene = document.createElement("canvas");
  readonly #grounds = document.createElement("canvas");
  readonly #meadow: CanvasPattern | null;
  readonly #rooms = new Map<string | null, Room>();
  readonly #figures = new Map<string, Figure>();
  readonly #walls = new Map<number, CanvasImageSource>();
  #edition = 0;
  #daylight: Daylight = daylightAt(12);

  constructor(canvas: HTMLCanvasElement, sheets: Sheets) {
    const pen = canvas.getContext("2d");
    if (!pen) {
      throw new Error("This browser cannot draw the office.");
    }
    this.#canvas = canvas;
    this.#pen = pen;
    this.#sheets = sheets;
    this.#meadow = pen.createPattern(drawMeadow(), "repeat");
  }

  /** Paint a moment. */
  paint(campus: Campus, view: View, { now, selected, still, dark, unlit }: Moment): void {
    const hour = daylightAt(dark ? NIGHT_HOUR : hourOf(now));
    // With the gateway the lights go out.
    const lit = campus.buildings.some(({ scene }) => scene.gateway === "on") && !unlit;
    const daylight = lit ? hour : { ...hour, tint: BLACKOUT, lamps: 0.25 };
    this.#daylight = daylight;
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
      this.#tint(scene, daylight.outside);
    }
    const seen = campus.buildings.filter(({ host }) => this.#isSeen(campus, host, view));
    const enter = ({ x, y }: Building) => go(origin[0] + x, origin[1] + y);
    for (const building of seen) {
      const room = this.#roomOf(building, now);
      enter(building);
      scene.drawImage(room.picture, -room.origin[0], -room.origin[1]);
      for (const drawable of this.#drawables(scene, building.scene, selected, still)) {
        drawable.draw();
      }
    }
    this.#tint(scene, daylight.tint);
    go(origin[0] + garden.x, origin[1] + garden.y);
    this.#lightPaths(scene, garden.grounds);
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
        this.#lightLamps(scene, building.scene);
      }
    }
    for (const building of seen) {
      enter(building);
      this.#drawEffects(scene, building.scene, still);
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
    this.#write(campus, view, selected);
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

  #figureOf(id: string): Figure {
    let figure = this.#figures.get(id);
    if (!figure) {
      figure = new Figure(lookOf(id), this.#sheets.people);
      this.#figures.set(id, figure);
    }
    return figure;
  }

  // The room.

  /** Draw what lies around the offices once, and anew when something stands elsewhere. */
  #prepareGrounds(campus: Campus): void {
    if (campus.edition === this.#edition) {
      return;
    }
    this.#edition = campus.edition;
    const hosts = new Set(campus.buildings.map(({ host }) => host));
    for (const host of this.#rooms.keys()) {
      if (!hosts.has(host)) {
        this.#rooms.delete(host);
      }
    }
    const { grounds } = campus.garden;
    const { left, top, width, height } = grounds.bounds;
    const pen = sized(this.#grounds, width, height);
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
      this.#place(pen, name, x, y);
    }
  }

  /** Floor and walls, drawn once, and anew when the plan or the sky has changed. */
  #roomOf({ host, scene: office, hue }: Building, now: Date): Room {
    const key = `${office.edition} ${this.#daylight.skyTop} ${now.getMinutes()} ${office.gateway} ${hue}`;
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
    this.#drawRoom(pen, office.plan, hue, now);
    return room;
  }

  #drawRoom(pen: CanvasRenderingContext2D, plan: Plan, hue: number | null, now: Date): void {
    const walls = hue === null ? this.#sheets.furniture : this.#wallsOf(hue);
    this.#drawSky(pen, plan.width, plan.depth);
    for (let y = plan.depth - 1; y >= 0; y -= 1) {
      this.#place(pen, plan.windows.left.has(y) ? "window-left" : "wall-left", 0, y, walls);
    }
    for (let x = plan.width - 1; x >= 0; x -= 1) {
      this.#place(pen, plan.windows.right.has(x) ? "window-right" : "wall-right", x, 0, walls);
    }
    this.#place(pen, "corner", 0, 0, walls);
    for (let x = 0; x < plan.width; x += 1) {
      for (let y = 0; y < plan.depth; y += 1) {
        this.#place(pen, (x + y) % 2 ? "floor-1" : "floor-2", x, y);
      }
    }
    for (const { name, from, to } of plan.carpets) {
      for (let x = from.x; x <= to.x; x += 1) {
        for (let y = from.y; y <= to.y; y += 1) {
          this.#place(pen, name, x, y);
        }
      }
    }
    drawShadows(pen, plan);
    drawSunlight(pen, plan, 1 - 3 * this.#daylight.lamps);
    this.#drawEdge(pen, plan.width, plan.depth);
    for (const { name, x } of plan.right) {
      this.#place(pen, name, x, 0);
      if (name === "clock") {
        this.#drawHands(pen, x, now);
      }
    }
    for (const { name, y } of plan.left) {
      this.#placeMirrored(pen, name, 0, y);
    }
  }

  /** The pictures with the walls in the colour of a host. */
  #wallsOf(hue: number): CanvasImageSource {
    const walls = this.#walls.get(hue) ?? repainted(this.#sheets.furniture, PAINTS[hue]?.wall ?? "#ffffff");
    this.#walls.set(hue, walls);
    return walls;
  }

  #drawSky(pen: CanvasRenderingContext2D, width: number, depth: number): void {
    const sky = pen.createLinearGradient(0, -WALL, 0, 0);
    sky.addColorStop(0, this.#daylight.skyTop);
    sky.addColorStop(1, this.#daylight.skyBottom);
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
    if (this.#daylight.stars) {
      pen.fillStyle = "#fff8d0";
      for (let star = 0; star < (width + depth) * 3; star += 1) {
        const x = left[0] + ((star * 37) % (right[0] - left[0]));
        pen.fillRect(x, Math.abs(x) / 2 - 24 - ((star * 13) % 20), 1, 1);
      }
    }
  }

  /** The slab that the floor lies on, seen at its two front edges. */
  #drawEdge(pen: CanvasRenderingContext2D, width: number, depth: number): void {
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

  #drawHands(pen: CanvasRenderingContext2D, x: number, now: Date): void {
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

  // What stands and walks in it.

  #drawables(
    pen: CanvasRenderingContext2D,
    office: Scene,
    selected: string | null,
    still: boolean,
  ): Drawable[] {
    const drawables: Drawable[] = [];
    const owners = new Map([...office.people.values()].map((person) => [person.desk, person]));
    const { plan } = office;
    for (const thing of plan.things) {
      if (thing.name !== "desk-off") {
        const name = thing.name === "rack-on" ? rackOf(office) : thing.name;
        drawables.push({
          depth: thing.x + thing.width / 2 + thing.y + thing.depth / 2,
          draw: () => this.#place(pen, name, thing.x, thing.y),
        });
      }
    }
    for (const desk of plan.desks) {
      const owner = owners.get(desk);
      drawables.push({
        depth: desk.x + 1 + desk.y + 0.5,
        draw: () => this.#place(pen, deskOf(desk, owner, still ? 0 : office.time), desk.x, desk.y),
      });
      const { seat } = desk;
      drawables.push({
        // Its back is before those who sit with theirs to the viewer.
        depth: seat.x + seat.y + (desk.facing === "back" ? 1.1 : 0.9),
        draw: () => this.#place(pen, desk.chair, seat.x, seat.y),
      });
    }
    for (const person of [...office.people.values(), ...office.visitors]) {
      if (person.here) {
        drawables.push({
          depth: person.x + person.y + 1,
          draw: () => this.#drawPerson(pen, office, person, person.id === selected, still),
        });
      }
    }
    const { cat } = office;
    drawables.push({ depth: cat.x + cat.y + 1, draw: () => this.#drawCat(pen, cat) });
    const open = [...office.people.values(), ...office.visitors].some(({ atDoor }) => atDoor);
    drawables.push({
      depth: -1,
      draw: () => this.#place(pen, open ? "door-open" : "door-closed", 0, plan.door.y - 0.5),
    });
    return drawables.sort((one, other) => one.depth - other.depth);
  }

  #drawPerson(
    pen: CanvasRenderingContext2D,
    office: Scene,
    person: Person,
    selected: boolean,
    still: boolean,
  ): void {
    const { frame, right, lift } = person.pose(still);
    const figure = this.#figureOf(person.id);
    const [sx, sy, width, height, ax, ay] = figure.placeOf(frame, right);
    const [x, y] = project({ x: person.x + 0.5, y: person.y + 0.5 }, 0).map(Math.round) as [number, number];
    const alarm = office.alarmOf(person.id);
    if (!person.seated || selected || alarm) {
      pen.fillStyle = selected ? "#ffe27acc" : alarm ? `${ALARMS[alarm]}cc` : "#3a223344";
      pen.beginPath();
      pen.ellipse(x, y, selected || alarm ? 13 : 8, selected || alarm ? 7 : 4, 0, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.drawImage(figure.sheet, sx, sy, width, height, x - ax, y - ay - lift, width, height);
  }

  #drawCat(pen: CanvasRenderingContext2D, cat: Cat): void {
    const { name, left } = cat.pose;
    const [x, y] = [cat.x + 0.5, cat.y + 0.5];
    if (left) {
      this.#placeMirrored(pen, name, x, y);
    } else {
      this.#place(pen, name, x, y);
    }
  }

  /** Lay a light over everything that is drawn so far. */
  #tint(scene: CanvasRenderingContext2D, colour: string): void {
    scene.save();
    scene.globalCompositeOperation = "multiply";
    scene.setTransform(1, 0, 0, 1, 0, 0);
    scene.fillStyle = colour;
    scene.fillRect(0, 0, this.#scene.width, this.#scene.height);
    scene.restore();
  }

  /** The lamps outside shine on their paths. */
  #lightPaths(scene: CanvasRenderingContext2D, grounds: Grounds): void {
    const { lamps } = this.#daylight;
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
  #lightLamps(scene: CanvasRenderingContext2D, office: Scene): void {
    const { lamps } = this.#daylight;
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

  /** What shines in any light: who calls, and what flies. */
  #drawEffects(pen: CanvasRenderingContext2D, office: Scene, still: boolean): void {
    for (const person of office.people.values()) {
      if (person.here) {
        const head = project(
          { x: person.x + 0.5, y: person.y + 0.5 },
          person.pose(still).lift + (person.seated ? 20 : 25),
        );
        drawThought(pen, person, head, still ? null : office.time);
      }
    }
    for (const particle of office.effects.all) {
      const left = 1 - particle.age / particle.life;
      const [x, y] = [Math.round(particle.x), Math.round(particle.y)];
      pen.globalAlpha = Math.min(1, left * 2);
      pen.fillStyle = particle.colour;
      if (particle.kind === "smoke") {
        const size = Math.round(particle.size + particle.age * 3);
        pen.globalAlpha = left * 0.6;
        pen.fillRect(x - size / 2, y - size / 2, size, size);
      } else if (particle.kind === "paper") {
        pen.fillStyle = "#3a2233";
        pen.fillRect(x - 3, y - 4, 6, 8);
        pen.fillStyle = "#ffffff";
        pen.fillRect(x - 2, y - 3, 4, 6);
      } else if (particle.kind === "dot") {
        pen.fillRect(x, y, particle.size, particle.size);
      }
    }
    pen.globalAlpha = 1;
  }

  // Names and figures.

  #write(campus: Campus, view: View, selected: string | null): void {
    const pen = this.#pen;
    const { origin } = campus.extent;
    const scale = globalThis.devicePixelRatio || 1;
    const at = (building: Building, [x, y]: readonly [number, number]): [number, number] => [
      (x + building.x + origin[0] - view.x) * view.zoom,
      (y + building.y + origin[1] - view.y) * view.zoom,
    ];
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const taken: Box[] = [];
    for (const building of campus.grounds ? campus.buildings : []) {
      const [x, y] = at(building, [0, -WALL]);
      taken.push(drawSign(pen, x, y, signOf(building, campus.away), scale));
    }
    // Closer up names grow as well, but slower.
    const size = scale * Math.min(1.5, Math.max(1, view.zoom / scale / 2.4));
    pen.font = `600 ${Math.round(12 * size)}px ${READABLE}`;
    const written: { agent: Agent; plate: Plate }[] = [];
    for (const { agent, person, building } of byUrgency(campus, selected)) {
      const spot = person.here ? person : person.desk.seat;
      const [x, y] = at(building, project({ x: spot.x + 0.5, y: spot.y + 0.5 }));
      const plate = plateFor(pen, x, y + 7 * size, agent.name, size);
      // Where it is crowded those whose names matter more have them; closer up, everybody has.
      if (!taken.some((other) => overlap(plate, other))) {
        taken.push(plate);
        const alarm = building.scene.alarmOf(agent.id);
        const away = campus.isAway(building.host);
        const paper = agent.id === selected ? "#ffe27a" : alarm ? ALARMS[alarm] : away ? AWAY : "#fffaec";
        writePlate(pen, plate, person.kind, size, paper);
        written.push({ agent, plate });
      }
    }
    if (view.zoom >= 2 * scale) {
      pen.font = `500 ${Math.round(11 * size)}px ${READABLE}`;
      for (const { agent, plate } of written) {
        const strip = stripFor(pen, plate, agent, size);
        if (strip && !taken.some((other) => overlap(strip, other))) {
          taken.push(strip);
          writeStrip(pen, strip, size);
        }
      }
    }
    pen.font = `800 ${Math.round(13 * size)}px ui-monospace, Menlo, monospace`;
    for (const building of campus.buildings) {
      for (const { kind, x, y, text, colour, age, life } of building.scene.effects.all) {
        if (kind !== "text") {
          continue;
        }
        const [px, py] = at(building, [x, y]);
        pen.globalAlpha = Math.min(1, (1 - age / life) * 2);
        pen.lineWidth = 4 * size;
        pen.strokeStyle = "#3a2233";
        pen.lineJoin = "round";
        pen.strokeText(text, px, py);
        pen.fillStyle = colour;
        pen.fillText(text, px, py);
      }
    }
    pen.globalAlpha = 1;
  }

  #place(
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

  #placeMirrored(pen: CanvasRenderingContext2D, name: FurnitureName, x: number, y: number): void {
    const [sx, sy, width, height, ax, ay] = FURNITURE[name];
    const [px, py] = project({ x, y });
    pen.save();
    pen.translate(Math.round(px), Math.round(py));
    pen.scale(-1, 1);
    pen.drawImage(this.#sheets.furniture, sx, sy, width, height, -ax, -ay, width, height);
    pen.restore();
  }
}

function sized(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d");
  if (!pen) {
    throw new Error("This browser cannot draw the office.");
  }
  pen.imageSmoothingEnabled = false;
  return pen;
}

function rackOf({ gateway, time }: Scene): FurnitureName {
  if (gateway !== "on") {
    return gateway === "error" ? "rack-error" : "rack-off";
  }
  return Math.floor(time * 2) % 2 ? "rack-blink" : "rack-on";
}

function deskOf({ facing }: Desk, person: Person | undefined, time: number): FurnitureName {
  const screen = screenOf(person);
  if (facing === "back" && screen === "work" && person) {
    return WORK[Math.floor(time * 1.5 + person.phase) % WORK.length] ?? "desk-work";
  }
  return `${facing === "back" ? "desk" : "counter"}-${screen}`;
}

const WORK: readonly FurnitureName[] = ["desk-work", "desk-work-2", "desk-work-3"];

function screenOf(person: Person | undefined): "off" | "on" | "work" | "wait" | "error" {
  switch (person?.kind) {
    case "busy":
      return person.seated ? "work" : "on";
    case "error":
      return "error";
    case "waiting":
      return "wait";
    case "online":
    case "idle":
      return "on";
    default:
      return "off";
  }
}

/** Take the colour out of an office that nobody speaks for. */
function drawVeil(pen: CanvasRenderingContext2D, { plan }: Scene): void {
  paintRoom(pen, plan, [
    ["saturation", "#808080"],
    ["source-over", "rgb(120 118 140 / 0.28)"],
  ]);
}

/** Put the lights out in one office while they are on in others; at night there is less of them to put out. */
function drawDark(pen: CanvasRenderingContext2D, { plan }: Scene, lamps: number): void {
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

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Plate extends Box {
  readonly text: string;
}

const URGENCY: readonly Kind[] = ["waiting", "error", "busy", "online", "idle", "unknown", "offline"];

function byUrgency(
  { buildings }: Campus,
  selected: string | null,
): { agent: Agent; person: Person; building: Building }[] {
  const rank = ({ id }: Agent, { kind }: Person) => (id === selected ? -1 : URGENCY.indexOf(kind));
  return buildings
    .flatMap((building) =>
      building.scene.agents.flatMap((agent) => {
        const person = building.scene.people.get(agent.id);
        return person ? [{ agent, person, building }] : [];
      }),
    )
    .sort((one, other) => rank(one.agent, one.person) - rank(other.agent, other.person));
}

/** What the sign of an office says: whose it is, and how many are at work, or since when that is not known. */
function signOf({ host, scene, hue }: Building, away: ReadonlyMap<string, string>): Sign {
  const since = host === null ? undefined : away.get(host);
  const busy = scene.agents.filter(({ kind }) => kind === "busy").length;
  const calls = scene.agents.some(needsPerson);
  return {
    name: host ?? "elsewhere",
    note: since === undefined ? `${busy} of ${scene.agents.length} at work` : silenceWord(since),
    colour: since === undefined ? (PAINTS[hue ?? 0]?.sign ?? "#fffaec") : AWAY,
    calls: calls && since === undefined,
  };
}

function overlap(one: Box, other: Box): boolean {
  return (
    one.left < other.left + other.width &&
    other.left < one.left + one.width &&
    one.top < other.top + other.height &&
    other.top < one.top + one.height
  );
}

function plateFor(pen: CanvasRenderingContext2D, x: number, y: number, name: string, scale: number): Plate {
  const text = shortened(name, LONGEST_NAME);
  const width = pen.measureText(text).width + 18 * scale;
  const height = 16 * scale;
  return { left: Math.round(x - width / 2), top: Math.round(y - height / 2), width, height, text };
}

/** What somebody works on, below the name. */
function stripFor(
  pen: CanvasRenderingContext2D,
  plate: Plate,
  { kind, currentTask, statusDetail }: Agent,
  scale: number,
): Plate | null {
  const task = taskOf(currentTask) ?? textOf(statusDetail);
  if (task === null || !AT_WORK.has(kind)) {
    return null;
  }
  const text = shortened(task, LONGEST_TASK);
  const width = pen.measureText(text).width + 10 * scale;
  const left = Math.round(plate.left + plate.width / 2 - width / 2);
  return { left, top: plate.top + plate.height + scale, width, height: 14 * scale, text };
}

function writeStrip(
  pen: CanvasRenderingContext2D,
  { left, top, width, height, text }: Plate,
  scale: number,
): void {
  pen.fillStyle = "rgb(58 38 23 / 0.84)";
  pen.beginPath();
  pen.roundRect(left, top, width, height, 4 * scale);
  pen.fill();
  pen.fillStyle = "#fff3d6";
  pen.fillText(text, left + width / 2, top + height / 2 + 0.5 * scale);
}

function shortened(text: string, longest: number): string {
  const signs = [...text];
  return signs.length > longest
    ? `${signs
        .slice(0, longest - 1)
        .join("")
        .trimEnd()}…`
    : text;
}

function writePlate(
  pen: CanvasRenderingContext2D,
  { left, top, width, height, text }: Plate,
  kind: Kind,
  scale: number,
  paper: string,
): void {
  const middle = top + height / 2 + 0.5 * scale;
  pen.globalAlpha = kind === "offline" ? 0.6 : 1;
  pen.fillStyle = paper;
  pen.strokeStyle = "#5c3a21";
  pen.lineWidth = Math.max(1, Math.round(1.5 * scale));
  pen.beginPath();
  pen.roundRect(left, top, width, height, 5 * scale);
  pen.fill();
  pen.stroke();
  pen.fillStyle = INKS[kind];
  pen.fillText(SIGNS[kind], left + 8 * scale, middle);
  pen.fillStyle = "#3a2617";
  pen.fillText(text, left + width / 2 + 5 * scale, middle);
  pen.globalAlpha = 1;
}
