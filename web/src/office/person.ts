/** One of the people on the floor: where they are, what they do, and what they do next. What they do follows their state. */

import type { Kind } from "../state/status";
import type { FrameName } from "./atlas";
import { type Chance, pick, seeded } from "./chance";
import type { Desk, Plan, Spot } from "./plan";
import { wayBetween } from "./plan";

/** Tiles a second. */
const WALK = 2.4;
const RUN = 4;
const REST = { least: 5, most: 14 };
const JUMP_SECONDS = 0.9;

type Doing = "sitting" | "walking" | "standing" | "drinking" | "raising" | "slumped" | "jumping" | "away";

/** What somebody does where a walk ends. */
type Aim = "seat" | "haunt" | "leave" | "stand";

export interface Pose {
  readonly frame: FrameName;
  /** Whether the frame is seen in a mirror. */
  readonly right: boolean;
  /** How far it is lifted, in pixels. */
  readonly lift: number;
}

export class Person {
  readonly id: string;
  readonly #chance: Chance;
  #plan: Plan;
  #desk: Desk;
  #kind: Kind = "unknown";
  #doing: Doing = "away";
  #way: Spot[] = [];
  #x = 0;
  #y = 0;
  #heading: Spot = { x: 0, y: 1 };
  #until = 0;
  #clock: number;
  #after: Aim = "seat";
  #haunt = "look";
  #visiting = false;

  /** `present`: whether they are there already, or come through the door. */
  constructor(id: string, plan: Plan, desk: Desk, present: boolean) {
    this.id = id;
    this.#chance = seeded(id);
    this.#plan = plan;
    this.#desk = desk;
    this.#clock = this.#chance() * 10;
    if (present) {
      this.#sit();
    } else {
      this.#x = plan.door.x;
      this.#y = plan.door.y;
    }
  }

  get x(): number {
    return this.#x;
  }

  get y(): number {
    return this.#y;
  }

  get desk(): Desk {
    return this.#desk;
  }

  get kind(): Kind {
    return this.#kind;
  }

  get here(): boolean {
    return this.#doing !== "away";
  }

  /** What keeps everybody from moving at the same time. */
  get phase(): number {
    return this.id.length;
  }

  get seated(): boolean {
    return this.#doing === "sitting" || this.#doing === "slumped";
  }

  /** Whether they pass through the door at the moment. */
  get atDoor(): boolean {
    const { door } = this.#plan;
    return this.#doing === "walking" && Math.abs(this.#x - door.x) + Math.abs(this.#y - door.y) < 1.5;
  }

  /** The office has another plan: everybody is at once where they belong. */
  moveTo(plan: Plan, desk: Desk): void {
    this.#plan = plan;
    this.#desk = desk;
    this.#way = [];
    if (this.here) {
      this.#sit();
    }
  }

  become(kind: Kind): void {
    if (kind === this.#kind) {
      return;
    }
    const first = this.#kind === "unknown" && this.#doing !== "walking";
    this.#kind = kind;
    if (kind === "offline") {
      if (first) {
        this.#doing = "away";
      } else if (this.here) {
        this.#go(this.#plan.door, "leave");
      }
      return;
    }
    if (!this.here) {
      [this.#x, this.#y] = [this.#plan.door.x, this.#plan.door.y];
    }
    if (kind === "waiting") {
      this.#goOrStand(first);
    } else if (first && kind !== "idle") {
      this.#sit();
    } else if (kind === "idle") {
      this.#until = this.#clock + this.#chance() * 4;
      if (!this.seated) {
        this.#wander();
      }
    } else if (this.seated) {
      this.#sit();
    } else {
      this.#go(this.#desk.seat, "seat");
    }
  }

  /** Come in, spend a while somewhere, and leave: what visitors do. */
  visit(spot: Spot): void {
    this.#visiting = true;
    [this.#x, this.#y] = [this.#plan.door.x, this.#plan.door.y];
    this.#kind = "idle";
    this.#haunt = "talk";
    this.#go(spot, "haunt");
  }

  /** Something is done: they jump, wherever they are. */
  cheer(): void {
    if (this.here && this.#doing !== "walking") {
      this.#doing = "jumping";
      this.#until = this.#clock + JUMP_SECONDS;
    }
  }

  /** So many seconds have gone by; `still` where they are to be at once where they go. */
  step(seconds: number, still = false): void {
    this.#clock += seconds;
    if (this.#doing === "walking" && still) {
      const goal = this.#way.at(-1) ?? this;
      [this.#x, this.#y] = [goal.x, goal.y];
      this.#way = [];
      this.#arrive();
    } else if (this.#doing === "walking") {
      this.#walk(seconds * (this.#kind === "busy" || this.#kind === "error" ? RUN : WALK));
    } else if (this.#doing === "jumping") {
      if (this.#clock > this.#until) {
        this.#go(
          this.#kind === "waiting" ? this.#besideDesk() : this.#desk.seat,
          this.#kind === "waiting" ? "stand" : "seat",
        );
      }
    } else if (
      this.#kind === "idle" &&
      (!still || this.#visiting) &&
      this.#clock > this.#until &&
      this.here
    ) {
      if (this.#visiting) {
        this.#go(this.#plan.door, "leave");
      } else {
        this.#wander();
      }
    }
  }

  pose(still: boolean): Pose {
    const time = still ? 0 : this.#clock;
    const right = this.#heading.x - this.#heading.y > 0;
    const front = this.#heading.x + this.#heading.y > 0;
    switch (this.#doing) {
      case "walking": {
        const step = Math.floor(time * 7) % 4;
        const side = front ? "front" : "back";
        const frame = step === 1 ? `walk-${side}-1` : step === 3 ? `walk-${side}-2` : `stand-${side}`;
        return { frame: frame as FrameName, right, lift: 0 };
      }
      case "sitting": {
        const typing = this.#kind === "busy" && Math.floor(time * 6 + this.phase) % 2 === 1;
        const { facing } = this.#desk;
        return {
          frame: `type-${facing}-${typing ? 2 : 1}` as FrameName,
          right: facing === "back",
          lift: facing === "back" ? 9 : 6,
        };
      }
      case "slumped":
        return { frame: "slump-front", right: false, lift: 9 };
      case "raising": {
        const up = Math.floor(time * 2.5) % 2;
        return { frame: "raise-front-1", right: false, lift: up };
      }
      case "drinking":
        return { frame: Math.floor(time / 1.6) % 2 ? "drink-front-2" : "drink-front-1", right, lift: 0 };
      case "jumping": {
        const rise = Math.sin(Math.PI * Math.max(0, 1 - (this.#until - this.#clock) / JUMP_SECONDS));
        return { frame: "jump-front", right: false, lift: still ? 0 : Math.round(rise * 12) };
      }
      default:
        return {
          frame: `${Math.floor(time * 1.6) % 2 ? "bob" : "stand"}-${front ? "front" : "back"}` as FrameName,
          right,
          lift: 0,
        };
    }
  }

  #sit(): void {
    const { seat } = this.#desk;
    [this.#x, this.#y] = [seat.x, seat.y];
    this.#heading = { x: 0, y: -1 };
    this.#doing = this.#kind === "error" ? "slumped" : "sitting";
  }

  #besideDesk(): Spot {
    const { x, y } = this.#desk.seat;
    // Left of it, where no screen stands before them.
    return { x: Math.floor(x) - 1, y };
  }

  #goOrStand(at_once: boolean): void {
    const spot = this.#besideDesk();
    if (at_once) {
      [this.#x, this.#y] = [spot.x, spot.y];
      this.#doing = "raising";
    } else {
      this.#go(spot, "stand");
    }
  }

  #wander(): void {
    const haunts = this.#plan.haunts;
    const [first, ...others] = haunts;
    if (!first || this.#chance() < 0.35) {
      this.#go(this.#desk.seat, "seat");
    } else {
      const haunt = pick([first, ...others], this.#chance);
      this.#haunt = haunt.what;
      this.#go(haunt, "haunt");
    }
  }

  #go(to: Spot, then: Aim): void {
    this.#way = wayBetween(this.#plan, { x: this.#x, y: this.#y }, to);
    this.#after = then;
    this.#doing = "walking";
  }

  #walk(distance: number): void {
    let left = distance;
    while (left > 0) {
      const [next] = this.#way;
      if (!next) {
        this.#arrive();
        return;
      }
      const [dx, dy] = [next.x - this.#x, next.y - this.#y];
      const length = Math.hypot(dx, dy);
      if (length > 0.01) {
        this.#heading = { x: dx / length, y: dy / length };
      }
      if (length <= left) {
        [this.#x, this.#y] = [next.x, next.y];
        this.#way.shift();
        left -= length;
      } else {
        this.#x += (dx / length) * left;
        this.#y += (dy / length) * left;
        left = 0;
      }
    }
  }

  #arrive(): void {
    this.#until = this.#clock + REST.least + this.#chance() * (REST.most - REST.least);
    switch (this.#after) {
      case "seat":
        this.#sit();
        break;
      case "leave":
        this.#doing = "away";
        break;
      case "stand":
        this.#heading = { x: 0, y: 1 };
        this.#doing = "raising";
        break;
      case "haunt":
        this.#heading = this.#haunt === "look" ? { x: 0, y: -1 } : { x: 0, y: 1 };
        this.#doing = this.#haunt === "coffee" || this.#haunt === "talk" ? "drinking" : "standing";
        break;
    }
  }
}
