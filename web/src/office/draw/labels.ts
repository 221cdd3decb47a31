/** Names, tasks, figures and signs: written at the screen's own size, so that they stay readable. */

import { needsPerson } from "../../fleet/attention";
import { silenceWord } from "../../fleet/host-watch";
import type { Agent } from "../../state/index";
import type { Kind } from "../../state/status";
import { SIGNS, taskOf, textOf } from "../../words/agent-words";
import { WALL } from "../atlas";
import type { Building, Campus } from "../campus";
import type { Person } from "../person";
import { type Alarm, project } from "../scene";
import { drawSign, PAINTS, type Sign } from "./grounds-paint";
import type { View } from "./view";

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
export const ALARMS: Readonly<Record<Alarm, string>> = { warning: "#ffcf70", critical: "#ff9d90" };
/** The paper of those whom nobody speaks for. */
const AWAY = "#cfcbc6";
const LONGEST_NAME = 12;
const LONGEST_TASK = 22;
const READABLE = 'ui-rounded, "SF Pro Rounded", "Segoe UI", system-ui, sans-serif';
/** Those at rest, and those who are away, have no task to show. */
const AT_WORK: ReadonlySet<Kind> = new Set(["busy", "online", "waiting", "error"]);

/** Write all of them; where it is crowded, those that matter more. */
export function writeLabels(
  pen: CanvasRenderingContext2D,
  campus: Campus,
  view: View,
  selected: string | null,
): void {
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
