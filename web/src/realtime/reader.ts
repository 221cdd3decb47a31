/**
 * What one page has read of the log: every event exactly once and in order, and the state that they make.
 *
 * A link, its own or one shared with other pages, tells what happens; whatever does not follow on what was read last is
 * read from the log itself, page by page, until both meet. So it does not matter where a link begins, how often it
 * breaks, who else uses it, or when this page came to it.
 */

import { Backoff } from "../client/backoff";
import type { Cursor, Gap, LogEvent, Page, Snapshot } from "../client/protocol";
import type { FleetState } from "../state/index";

export interface ReaderListener {
  event(event: LogEvent): void;
  /** Events that can no longer be had; with the state after them, null where it is not to be had either yet. */
  gap(gap: Gap, snapshot: Snapshot | null): void;
  /** The first state, or one that replaces what was folded. */
  snapshot(snapshot: Snapshot): void;
  /** There will be no state: what folds it cannot be loaded. */
  stateless(): void;
}

/** What makes a state of events (see `state/`). */
export interface Fold {
  stateFromSnapshot(snapshot: Snapshot): FleetState;
  foldEvents(state: FleetState, events: readonly LogEvent[]): FleetState;
}

/** Where the log and the state are read. */
export interface Library {
  page(since: Cursor): Promise<Page>;
  snapshot(): Promise<Snapshot>;
  fold(): Promise<Fold>;
}

/** So many events may come while a page is on its way; beyond that they are read again. */
const MAX_QUEUED = 10_000;
/** So many events are kept before they are folded, where nobody asks for the state. */
const MAX_UNFOLDED = 500;
/** So often the fold is asked for before this page does without a state. */
const FOLD_ATTEMPTS = 8;
const RETRY = { first: 500, longest: 5_000, growth: 2 };

export class Reader {
  readonly #library: Library;
  readonly #listener: ReaderListener;
  readonly #folds: boolean;
  #cursor: Cursor | null;
  /** Where the log is known to stand. */
  #target: Cursor | null = null;
  /** What comes while the log is being read. */
  #queue: LogEvent[] | null = null;
  #queueEpoch = "";
  #fold: Fold | null = null;
  #state: FleetState | null = null;
  #unfolded: LogEvent[] = [];
  #snapshotting = false;
  #stateless = false;
  /** Changes when reading is stopped: what was under way then comes to nothing. */
  #term = {};

  /** `since` is where to begin; without it, where the link stands first. `folds`: whether the state is wanted. */
  constructor(library: Library, listener: ReaderListener, since: Cursor | null, folds: boolean) {
    this.#library = library;
    this.#listener = listener;
    this.#cursor = since;
    this.#folds = folds;
  }

  /** The last event that the listener got, or where reading began. */
  get cursor(): Cursor | null {
    return this.#cursor;
  }

  /** Whether there will be no state, because what folds it cannot be loaded. */
  get stateless(): boolean {
    return this.#stateless;
  }

  /** Null until the first snapshot. */
  get state(): FleetState | null {
    this.#foldIn();
    return this.#state;
  }

  /** Tell nothing more; the next position begins again from where this page is. */
  stop(): void {
    this.#term = {};
    this.#queue = null;
    this.#snapshotting = false;
    this.#stateless = false;
  }

  /** The log stands at this position, as far as the link is concerned. */
  position(cursor: Cursor): void {
    this.#target = cursor;
    if (this.#cursor === null) {
      this.#cursor = cursor;
    }
    if (this.#folds && this.#state === null && !this.#snapshotting && !this.#stateless) {
      void this.#readState();
    }
    if (this.#queue === null && !this.#follows(cursor.epoch, cursor.id)) {
      void this.#catchUp();
    }
  }

  /** Some events are gone: see in the log whether they concern this page. */
  gap(): void {
    if (this.#queue === null && this.#cursor) {
      void this.#catchUp();
    }
  }

  event(epoch: string, event: LogEvent): void {
    if (this.#queue !== null) {
      this.#enqueue(epoch, event);
    } else if (this.#cursor === null || this.#isNext(epoch, event.id)) {
      this.#deliver(epoch, event);
    } else if (!this.#follows(epoch, event.id)) {
      this.#target = { epoch, id: event.id };
      void this.#catchUp();
    }
  }

  #isNext(epoch: string, id: number): boolean {
    return this.#cursor?.epoch === epoch && id === this.#cursor.id + 1;
  }

  /** Whether everything up to here has been read. */
  #follows(epoch: string, id: number): boolean {
    return this.#cursor?.epoch === epoch && id <= this.#cursor.id;
  }

  #enqueue(epoch: string, event: LogEvent): void {
    this.#target = { epoch, id: event.id };
    if (this.#queue && (epoch !== this.#queueEpoch || this.#queue.length >= MAX_QUEUED)) {
      this.#queue.length = 0;
      this.#queueEpoch = epoch;
    }
    this.#queue?.push(event);
  }

  #deliver(epoch: string, event: LogEvent): void {
    this.#cursor = { epoch, id: event.id };
    if (this.#folds && !this.#stateless) {
      this.#unfolded.push(event);
      if (this.#state && this.#unfolded.length >= MAX_UNFOLDED) {
        this.#foldIn();
      }
    }
    this.#listener.event(event);
  }

  #foldIn(): void {
    if (this.#fold && this.#state && this.#unfolded.length > 0) {
      const events = this.#unfolded;
      this.#unfolded = [];
      this.#state = this.#fold.foldEvents(this.#state, events);
    }
  }

  /** Read the log from where this page is to where the link is. */
  async #catchUp(): Promise<void> {
    const term = this.#term;
    this.#queue = [];
    while (this.#cursor) {
      const since = this.#cursor;
      const page = await this.#insist(() => this.#library.page(since));
      const snapshot = page?.gap ? await this.#library.snapshot().catch(() => null) : null;
      if (!page || term !== this.#term) {
        return;
      }
      if (page.gap) {
        this.#leap(page.gap, snapshot);
      }
      for (const event of page.events) {
        this.#deliver(page.cursor.epoch, event);
      }
      this.#cursor = page.cursor;
      if (this.#hasMet()) {
        break;
      }
    }
    this.#queue = null;
  }

  /** Whether what was read reaches what came meanwhile; then that is delivered too. */
  #hasMet(): boolean {
    const [epoch, queue] = [this.#queueEpoch, this.#queue ?? []];
    for (const event of queue.splice(0)) {
      if (this.#isNext(epoch, event.id)) {
        this.#deliver(epoch, event);
      }
    }
    return this.#target === null || this.#follows(this.#target.epoch, this.#target.id);
  }

  /** Go on behind a gap, with the state that stands there. */
  #leap(gap: Gap, snapshot: Snapshot | null): void {
    this.#cursor = gap.cursor;
    if (this.#folds) {
      this.#state = (snapshot && this.#fold?.stateFromSnapshot(snapshot)) ?? null;
      this.#unfolded = [];
    }
    this.#listener.gap(gap, snapshot);
    if (this.#folds && !this.#state && !this.#snapshotting && !this.#stateless) {
      void this.#readState();
    }
  }

  /** Read the state. What is delivered meanwhile is folded into it as far as it is newer. */
  async #readState(): Promise<void> {
    const term = this.#term;
    this.#snapshotting = true;
    this.#fold ??= await this.#insist(() => this.#library.fold(), FOLD_ATTEMPTS);
    if (!this.#fold) {
      if (term === this.#term) {
        this.#snapshotting = false;
        this.#stateless = true;
        this.#unfolded = [];
        this.#listener.stateless();
      }
      return;
    }
    const snapshot = await this.#insist(async () => {
      const answer = await this.#library.snapshot();
      if (!this.#reaches(answer.cursor)) {
        throw new Error("The state is older than what was read.");
      }
      return answer;
    });
    if (!snapshot || term !== this.#term) {
      return;
    }
    this.#snapshotting = false;
    if (this.#fold && this.#state === null) {
      this.#state = this.#fold.stateFromSnapshot(snapshot);
      this.#listener.snapshot(snapshot);
    }
  }

  /** Whether a state joins on to the events that are to be folded into it: a node of a cluster may be behind another. */
  #reaches({ epoch, id }: Cursor): boolean {
    const next = this.#unfolded[0]?.id ?? (this.#cursor?.id ?? 0) + 1;
    return this.#cursor?.epoch !== epoch || id >= next - 1;
  }

  /** Ask until there is an answer; null where reading is stopped meanwhile, or after so many attempts. */
  async #insist<Answer>(
    ask: () => Promise<Answer>,
    attempts = Number.POSITIVE_INFINITY,
  ): Promise<Answer | null> {
    const term = this.#term;
    const backoff = new Backoff(RETRY);
    for (let attempt = 0; attempt < attempts && term === this.#term; attempt += 1) {
      try {
        return await ask();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, backoff.next()));
      }
    }
    return null;
  }
}
