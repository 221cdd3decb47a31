/**
 * All offices of the fleet: one, as long as it runs on one host; with several hosts each has an office of its own, and they
 * stand on one campus. Pixels of the campus count from the upper corner of its ground, as those of a room do from its own.
 */

import type { LogEvent } from "../client/protocol";
import { hostOf, hostOfEvent, hostsOf, huesOf, keptIfSame } from "../fleet/hosts";
import type { Agent, FleetState, SystemState } from "../state/index";
import { TILE } from "./atlas";
import { type Grounds, groundsFor } from "./grounds";
import type { Person } from "./person";
import { type Alarm, type Departure, extentOf, project, Scene } from "./scene";

export interface Building {
  /** Null for the only one, and for those who do not say where they are. */
  readonly host: string | null;
  readonly scene: Scene;
  /** Which colour it has; null for the only one. */
  readonly hue: number | null;
  /** Where the upper corner of its room lies, in pixels of the campus. */
  readonly x: number;
  readonly y: number;
}

/** A part of the picture of the whole. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What lies around the offices, and where its upper corner lies, in pixels from that of the picture's origin. */
export interface Garden {
  readonly grounds: Grounds;
  readonly x: number;
  readonly y: number;
}

interface Household {
  readonly host: string | null;
  readonly agents: readonly Agent[];
}

const MARGIN = 12;

export class Campus {
  /** Changes whenever something stands elsewhere. */
  edition = 0;
  /** Null where there is but one office. */
  grounds: Grounds | null = null;
  /** Around one office as around several. */
  garden: Garden = { grounds: groundsFor([]), x: 0, y: 0 };
  /** Since when nobody speaks for a host. */
  away: ReadonlyMap<string, string> = new Map();
  #buildings: readonly Building[] = [];
  #scenes = new Map<string | null, Scene>();
  #households: readonly Household[] = [];
  #agents: readonly Agent[] | null = null;
  #several = false;
  #drawn = "";

  constructor() {
    this.#house([{ host: null, agents: [] }], false);
    this.#lay();
  }

  /** Those at the back first. */
  get buildings(): readonly Building[] {
    return this.#buildings;
  }

  /** The size of the whole picture at scale 1, and where its upper corner lies in it. */
  get extent(): {
    readonly width: number;
    readonly height: number;
    readonly origin: readonly [number, number];
  } {
    const { grounds } = this;
    const [only] = this.#buildings;
    if (!grounds) {
      return extentOf(only ? only.scene.plan : { width: 0, depth: 0 });
    }
    // Walls stay within it: no office stands so near to the upper corner.
    return {
      width: (grounds.width + grounds.depth) * TILE + 2 * MARGIN,
      height: ((grounds.width + grounds.depth) * TILE) / 2 + 2 * MARGIN,
      origin: [grounds.depth * TILE + MARGIN, MARGIN],
    };
  }

  /** Everybody, office by office. */
  get agents(): readonly Agent[] {
    return this.#households.flatMap(({ agents }) => agents);
  }

  /** Who is at home at a host. */
  agentsOf(host: string): readonly Agent[] {
    return this.#households.find((household) => household.host === host)?.agents ?? [];
  }

  /** Take over a state of the fleet. */
  show(fleet: FleetState): void {
    if (fleet.agents !== this.#agents) {
      this.#agents = fleet.agents;
      this.#house(householdsOf(fleet.agents, this.#households), hostsOf(fleet.agents).length > 0);
    }
    for (const { host, agents } of this.#households) {
      this.#scenes.get(host)?.show({ ...fleet, agents, system: systemOf(fleet.system, host) });
    }
    this.#lay();
  }

  /** Who has spent nearly all, or more, of the day's budget. */
  set overspending(alarms: ReadonlyMap<string, Alarm>) {
    for (const scene of this.#scenes.values()) {
      scene.overspending = alarms;
    }
  }

  /** Another moment is shown next: everybody will be where they belong, and nothing is in the air. */
  cut(): void {
    for (const scene of this.#scenes.values()) {
      scene.cut();
    }
  }

  /** Show what an event tells in the office that it is about, in addition to the state that it makes. */
  tell(event: LogEvent): void {
    const host = this.#several ? hostOfEvent(event, this.#agents ?? []) : null;
    const scene = this.#scenes.get(host) ?? this.#buildings[0]?.scene;
    const everywhere = host === null && event.type !== "lead:added";
    for (const told of everywhere ? this.#scenes.values() : scene ? [scene] : []) {
      told.tell(event);
    }
  }

  /** So many seconds have gone by; an office that nobody speaks for stands still, since it is not known what goes on. */
  step(seconds: number, still = false): void {
    for (const { host, scene } of this.#buildings) {
      if (!this.isAway(host)) {
        scene.step(seconds, still);
      }
    }
  }

  isAway(host: string | null): boolean {
    return host !== null && this.away.has(host);
  }

  /** Take what has left the floor since the last time; places are pixels of the campus. */
  takeDepartures(): readonly (Departure & { readonly from: Building })[] {
    return this.#buildings.flatMap((from) =>
      from.scene
        .takeDepartures()
        .map((departure) => ({ ...departure, x: departure.x + from.x, y: departure.y + from.y, from })),
    );
  }

  /** Above somebody's head, in pixels of the campus; null where nobody has that id. */
  headOf(id: string): readonly [number, number] | null {
    for (const { scene, x, y } of this.#buildings) {
      const person = scene.people.get(id);
      if (person) {
        const [headX, headY] = scene.headOf(person);
        return [headX + x, headY + y];
      }
    }
    return null;
  }

  /** Who is near a pixel of the campus. */
  personAt(x: number, y: number): string | null {
    let [nearest, best]: [string | null, number] = [null, 20];
    for (const { scene, x: left, y: top } of this.#buildings) {
      for (const person of scene.people.values()) {
        const distance = distanceTo(person, x - left, y - top);
        if (distance < best) {
          [nearest, best] = [person.id, distance];
        }
      }
    }
    return nearest;
  }

  /** The part of the picture that the office of a host takes; null for all of them. */
  boxOf(host: string | null): Box {
    const one = host === null ? undefined : this.#buildings.find((building) => building.host === host);
    const boxes = (one ? [one] : this.#buildings).map((building) => this.#boxOfBuilding(building));
    const [left, top] = [Math.min(...boxes.map(({ x }) => x)), Math.min(...boxes.map(({ y }) => y))];
    return {
      x: left,
      y: top,
      width: Math.max(...boxes.map(({ x, width }) => x + width)) - left,
      height: Math.max(...boxes.map(({ y, height }) => y + height)) - top,
    };
  }

  #boxOfBuilding({ scene, x, y }: Building): Box {
    const { origin } = this.extent;
    const room = extentOf(scene.plan);
    return {
      x: origin[0] + x - room.origin[0],
      y: origin[1] + y - room.origin[1],
      width: room.width,
      height: room.height,
    };
  }

  /** Have an office for each household; those that stay keep theirs. */
  #house(households: readonly Household[], several: boolean): void {
    if (several !== this.#several) {
      // The office of all has grown for all of them: nobody's own is to be as large.
      this.#scenes.clear();
      this.#several = several;
    }
    const before = this.#scenes;
    this.#scenes = new Map(
      households.map(({ host }) => [host, before.get(host) ?? new Scene(several ? (host ?? "") : null)]),
    );
    this.#households = households;
  }

  /** Place the offices, where one has come, gone or grown. */
  #lay(): void {
    const scenes = [...this.#scenes];
    const drawn = scenes.map(([host, { edition }]) => `${host} ${edition}`).join("\n");
    if (drawn === this.#drawn && this.edition > 0) {
      return;
    }
    this.#drawn = drawn;
    this.edition += 1;
    const grounds = groundsFor(scenes.map(([, { plan }]) => plan));
    this.grounds = this.#several ? grounds : null;
    const [left, top] = this.#several ? [0, 0] : project(grounds.plots[0] ?? { x: 0, y: 0 });
    this.garden = { grounds, x: -left, y: -top };
    const hues = huesOf(scenes.flatMap(([host]) => host ?? []));
    this.#buildings = scenes
      .map(([host, scene], place): Building => {
        const [x, y] = project(this.grounds?.plots[place] ?? { x: 0, y: 0 });
        const hue = this.#several ? (hues.get(host ?? "") ?? 0) : null;
        return { host, scene, hue, x, y };
      })
      .sort((one, other) => one.y - other.y);
  }
}

/** The system as it is at a host: each has a gateway of its own, where any has told of one. */
function systemOf(system: SystemState, host: string | null): SystemState {
  return system.gateways === undefined || host === null
    ? system
    : { ...system, gateway: system.gateways[host] ?? null };
}

/** By host and in their order; those without one come last, and all together where there is but one. */
function householdsOf(agents: readonly Agent[], before: readonly Household[]): readonly Household[] {
  const hosts = hostsOf(agents);
  if (hosts.length === 0) {
    return [{ host: null, agents }];
  }
  const homes = new Map<string | null, Agent[]>(hosts.map((host) => [host, []]));
  for (const agent of agents) {
    const host = hostOf(agent);
    const home = homes.get(host) ?? [];
    home.push(agent);
    homes.set(host, home);
  }
  return [...homes].map(([host, found]) => {
    const known = before.find((one) => one.host === host)?.agents ?? [];
    return { host, agents: keptIfSame(known, found) };
  });
}

function distanceTo(person: Person, x: number, y: number): number {
  const spot = person.here ? person : person.desk.seat;
  const [px, py] = project({ x: spot.x + 0.5, y: spot.y + 0.5 }, 12);
  return Math.hypot(x - px, (y - py) * 0.8);
}
