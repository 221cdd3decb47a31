/**
 * What an application wants to hear: everything until it subscribes to something, then what it has subscribed to and
 * what it has handlers for.
 */

import { type Matcher, parsePatterns } from "./patterns";

/** Of so many types it is remembered whether they are wanted. */
const MAX_KNOWN = 1_000;

export class Subscriptions {
  readonly #subscribed = new Set<string>();
  readonly #handled = new Set<string>();
  #everything = true;
  #matcher: Matcher = () => true;
  readonly #known = new Map<string, boolean>();

  get list(): string[] {
    return [...new Set([...this.#subscribed, ...this.#handled])];
  }

  /** Throws a `TypeError` where one of them is no pattern; then none is taken. */
  subscribe(patterns: readonly string[]): void {
    for (const pattern of patterns) {
      if (typeof pattern !== "string" || !pattern || !parsePatterns(pattern)) {
        throw new TypeError(
          `${JSON.stringify(pattern)} is no pattern; use a type ("task:created"), a category ("task:*"), or "*".`,
        );
      }
    }
    this.#everything = false;
    for (const pattern of patterns) {
      this.#subscribed.add(pattern);
    }
    this.#compile();
  }

  unsubscribe(patterns: readonly string[]): void {
    if (patterns.includes("*") && !this.#subscribed.has("*")) {
      this.clear();
    }
    for (const pattern of patterns) {
      this.#subscribed.delete(pattern);
      this.#handled.delete(pattern);
    }
    this.#compile();
  }

  clear(): void {
    this.#everything = false;
    this.#subscribed.clear();
    this.#handled.clear();
    this.#compile();
  }

  /** There is a handler for this, in addition to what is subscribed to. */
  handle(pattern: string): void {
    if (parsePatterns(pattern)) {
      this.#handled.add(pattern);
      this.#compile();
    }
  }

  unhandle(pattern: string): void {
    if (this.#handled.delete(pattern)) {
      this.#compile();
    }
  }

  wants(type: string): boolean {
    let wanted = this.#known.get(type);
    if (wanted === undefined) {
      if (this.#known.size >= MAX_KNOWN) {
        this.#known.clear();
      }
      wanted = this.#matcher(type);
      this.#known.set(type, wanted);
    }
    return wanted;
  }

  #compile(): void {
    this.#known.clear();
    const patterns = this.list;
    this.#matcher = this.#everything
      ? () => true
      : (patterns.length > 0 && parsePatterns(patterns.join(" "))) || (() => false);
  }
}
