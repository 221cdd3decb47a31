/** The events that the page shows: bounded, newest first, filtered, and held while paused. */

import { signal } from "@preact/signals";
import type { Gap, LogEvent } from "../client/protocol";
import type { Line } from "./event-words";
import { type Filter, parseFilter } from "./filter";

export const MAX_SHOWN = 200;
/** How far back a new filter reaches. */
export const MAX_KEPT = 2000;

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

  readonly #lineOf: (event: LogEvent) => Line;
  #matches: Filter = () => true;
  #kept: readonly Entry[] = [];
  /** What would be shown if the list were not paused. */
  #matching: readonly Entry[] = [];
  #keys = 0;

  /** `lineOf` says how an event is told, so that the filter finds what is read. */
  constructor(lineOf: (event: LogEvent) => Line) {
    this.#lineOf = lineOf;
  }

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

  /** Show only events that match. */
  setFilter(text: string): void {
    this.filter.value = text;
    this.#matches = parseFilter(text, this.#lineOf);
    this.#select();
  }

  pause(paused: boolean): void {
    this.paused.value = paused;
    this.held.value = 0;
    this.shown.value = this.#matching;
  }

  /** Choose again among everything that is kept; also while paused, as somebody has asked for it. */
  #select(): void {
    this.#matching = this.#kept.filter((entry) => this.#wants(entry)).slice(0, MAX_SHOWN);
    this.held.value = 0;
    this.shown.value = this.#matching;
  }

  #wants(entry: Entry): boolean {
    return entry.kind === "gap" || this.#matches(entry.event);
  }

  #entry(item: LogEvent | Gap): Entry {
    this.#keys += 1;
    return "reason" in item
      ? { key: this.#keys, kind: "gap", gap: item }
      : { key: this.#keys, kind: "event", event: item };
  }
}
