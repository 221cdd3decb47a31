/** The office as it is at a moment: who is there, what is going on, and what flies through the air. */

import type { Data, LogEvent } from "../client/protocol";
import type { Agent, FleetState, Item } from "../state/index";
import { isKind, type Kind, kindOf } from "../state/status";
import { TILE, WALL } from "./atlas";
import { Cat } from "./cat";
import { Effects } from "./effects";
import { Person } from "./person";
import { type Plan, planFor, type Spot } from "./plan";

/** So many visitors are in the office at a time. */
const MAX_VISITORS = 5;
/** For how long somebody who has crossed a budget stands out, in seconds. */
const ALARM_SECONDS = 12;
/** So many things wait to leave the floor; a page that is not looked at takes none. */
const MOST_DEPARTURES = 50;
/** Figures of one agent within so many seconds are told as one. */
const GATHER_SECONDS = 0.8;

/** Where a point of the floor lies, in pixels at scale 1, from the room's upper corner. */
export function project({ x, y }: Spot, height = 0): readonly [number, number] {
  return [(x - y) * TILE, ((x + y) * TILE) / 2 - height];
}

/** How near somebody is to a budget: close, or beyond. */
export type Alarm = "warning" | "critical";

/** Where something that leaves the floor comes down: a counter of the top bar. */
export type Landing = "tokens" | "purse" | "bell";

/** Something that flies from the floor to a counter; the place is a pixel of the office. */
export interface Departure {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly to: Landing;
}

interface Gathered {
  tokens: number;
  cost: number;
  at: number;
}

export class Scene {
  readonly people = new Map<string, Person>();
  /** New leads, who come in and have a look. */
  readonly visitors: Person[] = [];
  readonly effects = new Effects();
  plan: Plan;
  readonly cat: Cat;
  /** Changes with every new plan. */
  edition = 0;
  gateway: "on" | "off" | "error" = "on";
  /** Who has spent nearly all, or more, of the day's budget. */
  overspending: ReadonlyMap<string, Alarm> = new Map();
  time = 0;
  #agents: readonly Agent[] = [];
  #tasks: readonly Item[] = [];
  readonly #alarms = new Map<string, { readonly level: string; readonly until: number }>();
  #gathered = new Map<string, Gathered>();
  #departures: Departure[] = [];
  #started = false;
  readonly #seed: string | null;

  /** An office of its own kind by a seed; without one it is the office of all. */
  constructor(seed: string | null = null) {
    this.#seed = seed;
    this.plan = planFor(0, seed);
    this.cat = new Cat(this.plan);
  }

  get agents(): readonly Agent[] {
    return this.#agents;
  }

  /** Take over a state of the fleet. */
  show(fleet: FleetState): void {
    const gateway = String(fleet.system.gateway?.status ?? "running").toLowerCase();
    this.gateway = /run|ok|online|up|healthy/.test(gateway)
      ? "on"
      : /error|fail|crash/.test(gateway)
        ? "error"
        : "off";
    this.#tasks = fleet.tasks;
    if (fleet.agents === this.#agents && this.#started) {
      return;
    }
    this.#agents = fleet.agents;
    this.#settle();
    for (const agent of fleet.agents) {
      this.people.get(agent.id)?.become(agent.kind as Kind);
    }
    this.#started = true;
  }

  /** Another moment is shown next: everybody will be where they belong, and nothing is in the air. */
  cut(): void {
    this.people.clear();
    this.visitors.length = 0;
    this.effects.clear();
    this.#alarms.clear();
    this.#gathered.clear();
    this.#departures = [];
    this.#started = false;
  }

  /** Take what has left the floor since the last time. */
  takeDepartures(): readonly Departure[] {
    const departures = this.#departures;
    this.#departures = [];
    return departures;
  }

  /** Show what an event tells, in addition to the state that it makes. */
  tell(event: LogEvent): void {
    const { data } = event;
    switch (event.type) {
      case "token:usage":
        this.#gather(String(data.agent), data);
        break;
      case "file:change":
        this.#throwPaper(String(data.agentId));
        break;
      case "task:completed":
        this.#celebrate(data);
        break;
      case "lead:added":
        this.#receive(data);
        break;
      case "token:threshold":
        this.#alarms.set(String(data.agent), { level: String(data.alert), until: this.time + ALARM_SECONDS });
        break;
      case "agent:statusChange":
        this.#call(data);
        break;
      case "agent:activity":
        this.#sparkAt(String(data.agentId), 3);
        break;
    }
  }

  /** So many seconds have gone by; `still` where nothing is to move, and everybody is at once where they go. */
  step(seconds: number, still = false): void {
    this.time += seconds;
    for (const person of this.people.values()) {
      person.step(seconds, still);
      if (!still) {
        this.#air(person, seconds);
      }
    }
    for (const visitor of this.visitors) {
      visitor.step(seconds, still);
    }
    if (!still) {
      this.cat.step(seconds);
    }
    while (this.visitors[0]?.here === false) {
      this.visitors.shift();
    }
    this.effects.step(seconds);
    for (const [id, { tokens, cost, at }] of this.#gathered) {
      if (this.time - at > GATHER_SECONDS) {
        this.#gathered.delete(id);
        this.#popFigures(id, tokens, cost);
      }
    }
    if (this.gateway !== "on" && !still && Math.random() < seconds * 4) {
      const [x, y] = project(this.plan.rack, 44);
      this.effects.smoke(x, y + 8);
    }
  }

  /** How alarming somebody's spending is: that of the day, or what was told just now. */
  alarmOf(id: string): Alarm | null {
    const alarm = this.#alarms.get(id);
    const told = alarm && alarm.until > this.time ? alarm.level : null;
    return this.overspending.get(id) ?? (told === "warning" || told === "critical" ? told : null);
  }

  /** Above somebody's head. */
  headOf(person: Person): readonly [number, number] {
    return project({ x: person.x + 0.5, y: person.y + 0.5 }, person.pose(true).lift + 26);
  }

  /** Give everybody a desk; the room grows with the fleet, and never shrinks while it is looked at. */
  #settle(): void {
    const needed = this.#agents.length;
    if (this.edition === 0 || needed > this.plan.desks.length) {
      this.plan = planFor(needed, this.#seed);
      this.cat.moveTo(this.plan);
      this.edition += 1;
    }
    const ids = new Set(this.#agents.map(({ id }) => id));
    for (const id of this.people.keys()) {
      if (!ids.has(id)) {
        this.people.delete(id);
      }
    }
    this.#agents.forEach(({ id }, place) => {
      const desk = this.plan.desks[place];
      const person = this.people.get(id);
      if (desk && !person) {
        this.people.set(id, new Person(id, this.plan, desk, !this.#started));
      } else if (desk && person && person.desk !== desk) {
        person.moveTo(this.plan, desk);
      }
    });
  }

  #gather(id: string, data: Data): void {
    const delta = data.delta as
      | { tokens?: number; cost?: number; movedTo?: unknown; movedFrom?: unknown }
      | undefined;
    if (delta?.movedTo || delta?.movedFrom) {
      // Sessions are another agent's than was known: nothing is used now.
      return;
    }
    const gathered = this.#gathered.get(id) ?? { tokens: 0, cost: 0, at: this.time };
    gathered.tokens += Number(delta?.tokens) || 0;
    gathered.cost += Number(delta?.cost) || 0;
    this.#gathered.set(id, gathered);
  }

  #popFigures(id: string, tokens: number, cost: number): void {
    const person = this.people.get(id);
    if (person?.here) {
      const [x, y] = this.headOf(person);
      if (tokens > 0) {
        this.#depart({ x, y, text: `+${compact(tokens)}`, to: "tokens" });
      }
      if (cost >= 0.005) {
        this.#depart({ x, y: y + 8, text: `$${cost.toFixed(2)}`, to: "purse" });
      }
    }
  }

  /** Somebody needs a person: that goes to the bell. */
  #call(data: Data): void {
    const status = String(data.status ?? "");
    const kind = isKind(data.kind) ? data.kind : kindOf(status);
    const person = this.people.get(String(data.agentId));
    if (person?.here && (kind === "waiting" || kind === "error")) {
      const [x, y] = this.headOf(person);
      this.#depart({ x, y, text: "!", to: "bell" });
    }
  }

  #depart(departure: Departure): void {
    if (this.#departures.length < MOST_DEPARTURES) {
      this.#departures.push(departure);
    }
  }

  #throwPaper(id: string): void {
    const person = this.people.get(id);
    if (person?.here) {
      const [x, y] = this.headOf(person);
      const [toX, toY] = project({ x: this.plan.shelf.x + 1, y: this.plan.shelf.y + 0.5 }, 24);
      this.effects.paper(x, y + 8, toX, toY);
    }
  }

  #celebrate(data: Data): void {
    const task = this.#tasks.find(({ id }) => id === data.taskId);
    const updates = data.updates as Data | undefined;
    const person = this.people.get(String(updates?.assignedTo ?? task?.assignedTo ?? ""));
    if (person?.here) {
      person.cheer();
      const [x, y] = this.headOf(person);
      this.effects.figure(x, y, "✓", "#9be073");
      if (task?.priority === "P0") {
        this.effects.confetti(x, y);
      }
    }
  }

  #receive(data: Data): void {
    const seats = this.plan.haunts.filter(({ what }) => what === "talk");
    const seat = seats[this.visitors.length % seats.length];
    const [desk] = this.plan.desks;
    if (seat && desk && this.visitors.length < MAX_VISITORS) {
      const lead = data.lead as Data | undefined;
      const visitor = new Person(`lead ${String(lead?.id ?? lead?.leadId)}`, this.plan, desk, false);
      visitor.visit(seat);
      this.visitors.push(visitor);
    }
  }

  #sparkAt(id: string, count: number): void {
    const person = this.people.get(id);
    if (person?.seated) {
      const [x, y] = project({ x: person.desk.x + 1, y: person.desk.y + 0.3 }, 30);
      for (let spark = 0; spark < count; spark += 1) {
        this.effects.spark(x, y);
      }
    }
  }

  /** Work throws sparks, and an error smokes. */
  #air(person: Person, seconds: number): void {
    if (person.kind === "busy" && person.seated && Math.random() < seconds * 0.7) {
      this.#sparkAt(person.id, 1);
    } else if (person.kind === "error" && person.seated && Math.random() < seconds * 3) {
      const [x, y] = project({ x: person.desk.x + 1, y: person.desk.y + 0.4 }, 32);
      this.effects.smoke(x, y);
    }
  }
}

/** The size of the whole office at scale 1, and where the room's upper corner lies in it. */
export function extentOf({ width, depth }: Pick<Plan, "width" | "depth">): {
  width: number;
  height: number;
  origin: readonly [number, number];
} {
  const margin = 12;
  return {
    width: (width + depth) * TILE + 2 * margin,
    height: ((width + depth) * TILE) / 2 + WALL + 3 * margin,
    origin: [depth * TILE + margin, WALL + 2 * margin],
  };
}

function compact(value: number): string {
  return value >= 1e6
    ? `${(value / 1e6).toFixed(1)}M`
    : value >= 1e4
      ? `${Math.round(value / 1e3)}k`
      : `${value}`;
}
