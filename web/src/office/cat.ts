/** The office cat: it goes where it likes, sits a while, and sleeps on the carpet before the sofa. */

import type { FurnitureName } from "./atlas";
import { pick, seeded } from "./chance";
import type { Plan, Spot } from "./plan";
import { wayBetween } from "./plan";

/** Tiles a second. */
const WALK = 1.3;
const SIT_SECONDS = { least: 4, most: 12 };
const SLEEP_SECONDS = { least: 25, most: 60 };

export class Cat {
  readonly #chance = seeded("the office cat");
  #plan: Plan;
  #x = 0;
  #y = 0;
  #way: Spot[] = [];
  #doing: "walking" | "sitting" | "sleeping" = "sleeping";
  #left = false;
  #clock = 0;
  #until = 20;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.moveTo(plan);
  }

  get x(): number {
    return this.#x;
  }

  get y(): number {
    return this.#y;
  }

  /** Its picture, and whether that is seen in a mirror. */
  get pose(): { readonly name: FurnitureName; readonly left: boolean } {
    const step = Math.floor(this.#clock * 6) % 2;
    const name =
      this.#doing === "walking"
        ? step
          ? "cat-walk-1"
          : "cat-walk-2"
        : this.#doing === "sitting"
          ? "cat-sit"
          : "cat-sleep";
    return { name, left: this.#left };
  }

  /** The office has another plan: the cat sleeps through it. */
  moveTo(plan: Plan): void {
    this.#plan = plan;
    [this.#x, this.#y] = [plan.basket.x, plan.basket.y];
    this.#way = [];
    this.#sleep();
  }

  step(seconds: number): void {
    this.#clock += seconds;
    if (this.#doing === "walking") {
      this.#walk(seconds * WALK);
    } else if (this.#clock > this.#until) {
      this.#stroll();
    }
  }

  #stroll(): void {
    const home = this.#doing === "sitting" && this.#chance() < 0.35;
    const [first, ...others] = this.#plan.haunts;
    const goal = home || !first ? this.#plan.basket : pick([first, ...others], this.#chance);
    this.#way = wayBetween(this.#plan, this, goal);
    this.#doing = "walking";
  }

  #walk(distance: number): void {
    let left = distance;
    for (let next = this.#way[0]; next && left > 0; next = this.#way[0]) {
      const [dx, dy] = [next.x - this.#x, next.y - this.#y];
      const length = Math.hypot(dx, dy);
      const share = length > left ? left / length : 1;
      this.#left = dx - dy < 0;
      this.#x += dx * share;
      this.#y += dy * share;
      left -= length * share;
      if (share === 1) {
        this.#way.shift();
      }
    }
    if (this.#way.length === 0) {
      this.#arrive();
    }
  }

  #arrive(): void {
    const { basket } = this.#plan;
    if (this.#x === basket.x && this.#y === basket.y) {
      this.#sleep();
    } else {
      this.#doing = "sitting";
      this.#until = this.#clock + within(SIT_SECONDS, this.#chance());
    }
  }

  #sleep(): void {
    this.#doing = "sleeping";
    this.#until = this.#clock + within(SLEEP_SECONDS, this.#chance());
  }
}

function within({ least, most }: { least: number; most: number }, share: number): number {
  return least + (most - least) * share;
}
