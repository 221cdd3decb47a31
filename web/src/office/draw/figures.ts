/** What stands and walks in a room: furniture, people, the cat; from back to front. */

import type { FurnitureName } from "../atlas";
import type { Cat } from "../cat";
import type { Person } from "../person";
import type { Desk } from "../plan";
import { project, type Scene } from "../scene";
import { ALARMS } from "./labels";
import type { Pictures } from "./pictures";

interface Drawable {
  readonly depth: number;
  draw(): void;
}

/** What there is to draw of an office, the farthest first. */
export function drawables(
  pen: CanvasRenderingContext2D,
  pictures: Pictures,
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
        draw: () => pictures.place(pen, name, thing.x, thing.y),
      });
    }
  }
  for (const desk of plan.desks) {
    const owner = owners.get(desk);
    drawables.push({
      depth: desk.x + 1 + desk.y + 0.5,
      draw: () => pictures.place(pen, deskOf(desk, owner, still ? 0 : office.time), desk.x, desk.y),
    });
    const { seat } = desk;
    drawables.push({
      // Its back is before those who sit with theirs to the viewer.
      depth: seat.x + seat.y + (desk.facing === "back" ? 1.1 : 0.9),
      draw: () => pictures.place(pen, desk.chair, seat.x, seat.y),
    });
  }
  for (const person of [...office.people.values(), ...office.visitors]) {
    if (person.here) {
      drawables.push({
        depth: person.x + person.y + 1,
        draw: () => drawPerson(pen, pictures, office, person, person.id === selected, still),
      });
    }
  }
  const { cat } = office;
  drawables.push({ depth: cat.x + cat.y + 1, draw: () => drawCat(pen, pictures, cat) });
  const open = [...office.people.values(), ...office.visitors].some(({ atDoor }) => atDoor);
  drawables.push({
    depth: -1,
    draw: () => pictures.place(pen, open ? "door-open" : "door-closed", 0, plan.door.y - 0.5),
  });
  return drawables.sort((one, other) => one.depth - other.depth);
}

function drawPerson(
  pen: CanvasRenderingContext2D,
  pictures: Pictures,
  office: Scene,
  person: Person,
  selected: boolean,
  still: boolean,
): void {
  const { frame, right, lift } = person.pose(still);
  const figure = pictures.figureOf(person.id);
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

function drawCat(pen: CanvasRenderingContext2D, pictures: Pictures, cat: Cat): void {
  const { name, left } = cat.pose;
  const [x, y] = [cat.x + 0.5, cat.y + 0.5];
  if (left) {
    pictures.placeMirrored(pen, name, x, y);
  } else {
    pictures.place(pen, name, x, y);
  }
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
