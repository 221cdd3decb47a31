/** Figures that fly across the page and come down in a counter of the top bar. The counters are true without them. */

import { signal } from "@preact/signals";
import type { Landing } from "../office/scene";

export interface Flight {
  readonly key: number;
  /** Where it begins, in pixels of the page. */
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly to: Landing;
}

const MOST = 12;

export class Flights {
  readonly all = signal<readonly Flight[]>([]);
  readonly #still: () => boolean;
  #keys = 0;

  /** `still` says whether nothing is to move. */
  constructor(still: () => boolean) {
    this.#still = still;
  }

  /** Let something fly; returns false where the air is full, or is to be still. */
  launch(flight: Omit<Flight, "key">): boolean {
    if (this.#still() || document.hidden || this.all.peek().length >= MOST) {
      return false;
    }
    this.#keys += 1;
    this.all.value = [...this.all.peek(), { ...flight, key: this.#keys }];
    return true;
  }

  land(key: number): void {
    this.all.value = this.all.peek().filter((flight) => flight.key !== key);
  }
}
