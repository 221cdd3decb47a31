/** Delays between attempts, with full jitter: many clients that lost one server do not come back at once. */

const SHORTEST_MS = 250;
const LONGEST_MS = 30_000;

export class Backoff {
  #attempts = 0;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The next delay, in milliseconds. */
  next(): number {
    this.#attempts += 1;
    const ceiling = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** this.#attempts);
    return SHORTEST_MS + this.#random() * (ceiling - SHORTEST_MS);
  }

  /** Something has worked: begin with short delays again. */
  reset(): void {
    this.#attempts = 0;
  }
}
