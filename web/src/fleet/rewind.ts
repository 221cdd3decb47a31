/**
 * The past, read from the log: a state as it was, and the events after it, played at a speed of one's choice.
 *
 * What is shown is folded from the same events as the present, so that it is true.
 */

import { signal } from "@preact/signals";
import { readJson, readPage, readSnapshot } from "../client/http";
import { type Cursor, type LogEvent, parsePage } from "../client/protocol";
import { serverNow } from "../page/server-clock";
import { type FleetState, foldEvents, stateFromSnapshot } from "../state/index";

export const SPEEDS = [1, 10, 100] as const;

/** The times that the log reaches over, in milliseconds since 1970. */
export interface Reach {
  readonly from: number;
  readonly to: number;
}

export interface PastMoment {
  readonly state: FleetState;
  readonly cursor: Cursor;
  readonly events: readonly LogEvent[];
}

/** Where the past is read. */
export interface Archive {
  /** The state after the last event up to a time, and the events before it, oldest first. */
  at(time: number): Promise<PastMoment>;
  after(cursor: Cursor): Promise<{ readonly events: readonly LogEvent[]; readonly cursor: Cursor }>;
  reach(): Promise<Reach | null>;
}

/** What shows the past; times in milliseconds since 1970, events oldest first. */
export interface RewindListener {
  showPast(at: number, state: FleetState, events: readonly LogEvent[]): void;
  /** So much has happened since. */
  playPast(at: number, state: FleetState, events: readonly LogEvent[]): void;
  showPresent(): void;
}

/** So many events before a moment are listed. */
const LISTED = 200;
/** Quiet of the past beyond so many seconds of the present is passed over. */
const LONGEST_QUIET = 3;

export class Rewind {
  /** The moment that is shown, in milliseconds since 1970; null for the present. */
  readonly moment = signal<number | null>(null);
  readonly playing = signal(false);
  readonly speed = signal<number>(10);
  readonly reach = signal<Reach | null>(null);
  /** Why the past cannot be shown, for people. */
  readonly failure = signal<string | null>(null);
  readonly loading = signal(false);

  readonly #archive: Archive;
  readonly #listener: RewindListener;
  #state: FleetState | null = null;
  #cursor: Cursor | null = null;
  #coming: LogEvent[] = [];
  #reading = false;
  #atEnd = false;
  /** Changes with each moment that is chosen: what was asked for another one comes to nothing. */
  #chosen = 0;

  constructor(archive: Archive, listener: RewindListener) {
    this.#archive = archive;
    this.#listener = listener;
  }

  /** Learn how far the log reaches back. */
  async survey(): Promise<void> {
    try {
      this.reach.value = await this.#archive.reach();
    } catch {
      // There is the present to look at.
    }
  }

  /** Show a moment. */
  async seek(time: number): Promise<void> {
    this.#chosen += 1;
    const chosen = this.#chosen;
    this.moment.value = time;
    this.loading.value = true;
    try {
      const { state, cursor, events } = await this.#archive.at(time);
      if (chosen === this.#chosen) {
        [this.#state, this.#cursor, this.#coming, this.#atEnd] = [state, cursor, [], false];
        this.failure.value = null;
        this.loading.value = false;
        this.#listener.showPast(time, state, events);
      }
    } catch (error) {
      if (chosen === this.#chosen) {
        this.loading.value = false;
        this.failure.value = error instanceof Error ? error.message : String(error);
      }
    }
  }

  /** Go back to the present. */
  live(): void {
    this.#chosen += 1;
    this.moment.value = null;
    this.playing.value = this.loading.value = false;
    this.failure.value = null;
    [this.#state, this.#cursor, this.#coming] = [null, null, []];
    this.#listener.showPresent();
  }

  /** So many seconds of the present have gone by. */
  step(seconds: number): void {
    const moment = this.moment.peek();
    if (!this.playing.peek() || moment === null || !this.#state || this.loading.peek()) {
      return;
    }
    let next = moment + seconds * 1000 * this.speed.peek();
    const [first] = this.#coming;
    if (first && timeOf(first) - next > LONGEST_QUIET * 1000 * this.speed.peek()) {
      next = timeOf(first) - 1;
    }
    if (!first && !this.#atEnd) {
      // The clock waits for what is to be told.
      void this.#read();
      return;
    }
    const due = this.#coming.filter((event) => timeOf(event) <= next);
    this.#coming.splice(0, due.length);
    this.#state = due.length > 0 ? foldEvents(this.#state, due) : this.#state;
    this.#listener.playPast(next, this.#state, due);
    this.moment.value = next;
    if (this.#atEnd && this.#coming.length === 0 && next >= serverNow()) {
      this.live();
    }
  }

  async #read(): Promise<void> {
    if (this.#reading || !this.#cursor) {
      return;
    }
    this.#reading = true;
    const chosen = this.#chosen;
    try {
      const { events, cursor } = await this.#archive.after(this.#cursor);
      if (chosen === this.#chosen) {
        this.#coming.push(...events);
        this.#atEnd = events.length === 0;
        this.#cursor = cursor;
        this.failure.value = null;
      }
    } catch (error) {
      this.failure.value = error instanceof Error ? error.message : String(error);
      this.playing.value = false;
    } finally {
      this.#reading = false;
    }
  }
}

/** The past as the server keeps it. */
export const SERVER_ARCHIVE: Archive = {
  async at(time) {
    const snapshot = await readSnapshot({ apiUrl: "" }, new Date(time).toISOString());
    const { cursor } = snapshot;
    const since = `${cursor.epoch}:${Math.max(0, cursor.id - LISTED)}`;
    const page = parsePage(await readJson(`/api/events?since=${since}&limit=${LISTED}`, { apiUrl: "" }));
    const events = (page?.events ?? []).filter(({ id }) => id <= cursor.id);
    return { state: stateFromSnapshot(snapshot), cursor, events };
  },
  after: (cursor) => readPage({ apiUrl: "" }, cursor, 0),
  async reach() {
    const { cursor } = await readSnapshot({ apiUrl: "" });
    const query = `since=${cursor.epoch}:0&limit=1`;
    const page = parsePage(await readJson(`/api/events?${query}`, { apiUrl: "" }));
    const [first] = page?.events ?? [];
    return first ? { from: timeOf(first), to: serverNow() } : null;
  },
};

function timeOf({ time }: LogEvent): number {
  return Date.parse(time);
}
