/** The events that the page shows: bounded, newest first, filtered by pattern, and held while paused. */

import { signal } from "@preact/signals";
import { type Matcher, parsePatterns } from "../client/patterns";
import type { Gap, LogEvent } from "../client/protocol";

export const MAX_SHOWN = 200;
/** How far back a new filter reaches. */
const MAX_KEPT = 2000;

export type Entry = { readonly key: number } & (
  | { readonly kind: "event"; readonly event: LogEvent }
  | { readonly kind: "gap"; readonly gap: Gap }
);

export class EventLog {
  readonly shown = signal<readonly Entry[]>([]);
  readonly paused = signal(false);
  /** How many entries have come since the pause began. */
  readonly held = signal(0);
  readonly filter = signal("");
  readonly filterValid = signal(true);

  #matches: Matcher = () => true;
  #kept: readonly Entry[] = [];
  /** What would be shown if the list were not paused. */
  #matching: readonly Entry[] = [];
  #keys = 0;

  /** Take what has happened, oldest first. */
  add(items: readonly (LogEvent | Gap)[]): void {
    const entries = items.map((item) => this.#entry(item)).reverse();
    const matching = entries.filter((entry) => this.#wants(entry));
    this.#kept = [...entries, ...this.#kept].slice(0, MAX_KEPT);
    this.#matching = [...matching, ...this.#matching].slice(0, MAX_SHOWN);
    if (this.paused.peek()) {
      this.held.value += matching.length;
    } else {
      this.shown.value = this.#matching;
    }
  }

  /** Take events from before those that are here, newest first; they may overlap. */
  addOlder(events: readonly LogEvent[]): void {
    const known = new Set(this.#kept.map((entry) => (entry.kind === "event" ? entry.event.id : null)));
    const older = events.filter(({ id }) => !known.has(id)).map((event) => this.#entry(event));
    this.#kept = [...this.#kept, ...older].slice(0, MAX_KEPT);
    this.#select();
  }

  /** Show only events that match; text that is no pattern leaves the list as it is. */
  setFilter(text: string): void {
    const matches = parsePatterns(text);
    this.filter.value = text;
    this.filterValid.value = matches !== null;
    if (matches) {
      this.#matches = matches;
      this.#select();
    }
  }

  pause(paused: boolean): void {
    this.paused.value = paused;
    this.held.value = 0;
    this.shown.value = this.#matching;
  }

  /** Choose anew among everything that is kept; also while paused, as somebody has asked for it. */
  #select(): void {
    this.#matching = this.#kept.filter((entry) => this.#wants(entry)).slice(0, MAX_SHOWN);
    this.held.value = 0;
    this.shown.value = this.#matching;
  }

  #wants(entry: Entry): boolean {
    return entry.kind === "gap" || this.#matches(entry.event.type);
  }

  #entry(item: LogEvent | Gap): Entry {
    this.#keys += 1;
    return "reason" in item
      ? { key: this.#keys, kind: "gap", gap: item }
      : { key: this.#keys, kind: "event", event: item };
  }
}
