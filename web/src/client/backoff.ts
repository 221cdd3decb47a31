/** Delays between attempts, with full jitter: many clients that lost one server do not come back at once. */

export interface BackoffOptions {
  /** The ceiling of the first delay, and of all delays, in milliseconds. */
  readonly first: number;
  readonly longest: number;
  /** By what the ceiling grows from one delay to the next. */
  readonly growth: number;
  readonly random?: (() => number) | undefined;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** How many delays there were since something worked. */
  get attempts(): number {
    return this.#attempts;
  }

  /** The next delay, in milliseconds. */
  next(): number {
    const { first, longest, growth, random = Math.random } = this.#options;
    const ceiling = Math.min(longest, first * growth ** this.#attempts);
    this.#attempts += 1;
    return random() * ceiling;
  }

  /** Something has worked: begin with short delays again. */
  reset(): void {
    this.#attempts = 0;
  }
}
