/**
 * One link for all pages of an origin that want the same one.
 *
 * Whoever leads has the link and tells the others over a BroadcastChannel: a SharedWorker where there can be one, else
 * the page that holds the lock. The lock is what makes sure that only one leads: it goes to the next as soon as the one
 * that has it ends, however it ends. Whoever has neither channel nor lock has a link of its own.
 *
 * Nothing is remembered here about what a page has read: it says hello, learns where the link stands, and reads what it
 * has not seen from the log (see `reader.ts`).
 */

import { Link, type LinkListener, type LinkOptions, type LinkStatus } from "./link";
import { type Cursor, isData, type LogEvent } from "./protocol";
import type { TransportName } from "./transport";

/** What a page may ask of a link that others use too. */
export type Command =
  | { readonly do: "wake" | "cut" | "reconnect" }
  | { readonly do: "use"; readonly transports: readonly TransportName[] };

/** A link as a page has it, be it its own or shared. */
export interface SharedLink {
  readonly status: LinkStatus;
  /** Whether this page has the connection itself. */
  readonly leads: boolean;
  open(): void;
  command(command: Command): void;
  close(): void;
}

/** The page that a link is for. */
export interface Page extends LinkListener {
  /** Up to where it has read. */
  readonly cursor: Cursor | null;
}

/** What the leader says. */
type Told =
  | {
      readonly kind: "here";
      readonly by: string;
      readonly status: LinkStatus;
      readonly position: Cursor | null;
    }
  | { readonly kind: "status"; readonly status: LinkStatus }
  | { readonly kind: "event"; readonly epoch: string; readonly event: LogEvent }
  | { readonly kind: "position"; readonly cursor: Cursor }
  | { readonly kind: "clients"; readonly count: number }
  | { readonly kind: "gap" };

/** What a page says. */
type Asked =
  | { readonly kind: "hello" | "bye"; readonly page: string }
  | { readonly kind: "command"; readonly command: Command };

/** With the version of what is said here: a page does not follow one that says it otherwise. */
const PREFIX = "mission-control:1:";
/** How long a leader may leave a hello unanswered, in milliseconds. */
const ANSWER_MS = 700;
/** After so much silence a page asks whether its leader lives; a little later than others, for one is enough. */
const ASK_MS = 3_000;
const ASK_SPREAD_MS = 1_000;
/** So many hellos may stay unanswered before the lock is taken: from a leader that was heard, from one that may begin. */
const MISSES_OF_KNOWN = 1;
const MISSES_OF_UNKNOWN = 4;
/** How long the link stays when the last page has said goodbye. */
const LINGER_MS = 5_000;

type Timer = ReturnType<typeof setTimeout> | undefined;

/** The name under which pages that want the same link find each other. */
export function channelName(options: LinkOptions): string {
  return PREFIX + JSON.stringify(options);
}

/** Open the link for a page: shared where that can be. `workerUrl` is that of the worker's script, null for none. */
export function shareLink(
  options: LinkOptions,
  page: Page,
  share: boolean,
  workerUrl: string | null,
): SharedLink {
  // A token stays with the page that has it.
  const canShare =
    share && !options.token && "BroadcastChannel" in globalThis && (canLock() || canWork(workerUrl));
  return canShare ? new FollowingLink(options, page, workerUrl) : new OwnLink(options, page);
}

function canLock(): boolean {
  return typeof navigator === "object" && "locks" in navigator;
}

function canWork(workerUrl: string | null): boolean {
  return workerUrl !== null && "SharedWorker" in globalThis;
}

class OwnLink implements SharedLink {
  readonly #link: Link;
  readonly #page: Page;
  readonly leads = true;

  constructor(options: LinkOptions, page: Page) {
    this.#link = new Link(options, page);
    this.#page = page;
  }

  get status(): LinkStatus {
    return this.#link.status;
  }

  open(): void {
    this.#link.open(this.#page.cursor);
  }

  command(command: Command): void {
    obey(this.#link, command);
  }

  close(): void {
    this.#link.close();
  }
}

/** Leads: has the link, and tells every page what comes over it. */
export class Leader {
  readonly #channel: BroadcastChannel;
  readonly #link: Link;
  readonly #id = newId();
  readonly #own: Page | null;
  readonly #pages = new Set<string>();
  #lingering: Timer;

  /** `own` is the leading page itself; a worker has none. */
  constructor(options: LinkOptions, own: Page | null) {
    this.#own = own;
    this.#channel = new BroadcastChannel(channelName(options));
    this.#channel.onmessage = ({ data }) => this.#asked(data);
    const tell = (told: Told) => this.#channel.postMessage(told);
    this.#link = new Link(options, {
      status: (status) => {
        own?.status(status);
        tell({ kind: "status", status });
      },
      event: (epoch, event) => {
        own?.event(epoch, event);
        tell({ kind: "event", epoch, event });
      },
      position: (cursor) => {
        own?.position(cursor);
        tell({ kind: "position", cursor });
      },
      gap: () => {
        own?.gap();
        tell({ kind: "gap" });
      },
      clients: (count) => {
        own?.clients(count);
        tell({ kind: "clients", count });
      },
      counted: (direction) => own?.counted(direction),
    });
  }

  get status(): LinkStatus {
    return this.#link.status;
  }

  open(): void {
    this.#link.open(this.#own?.cursor);
    this.#tellWhere();
  }

  command(command: Command): void {
    obey(this.#link, command);
  }

  close(): void {
    this.#link.close();
    this.#channel.close();
  }

  #tellWhere(): void {
    const { status, cursor } = this.#link;
    const here: Told = { kind: "here", by: this.#id, status, position: cursor };
    this.#channel.postMessage(here);
  }

  #asked(asked: Asked | Told): void {
    if (asked.kind === "hello") {
      if (this.#lingering !== undefined) {
        clearTimeout(this.#lingering);
        this.#lingering = undefined;
        this.#link.renew();
      }
      // In a worker the link ends with its last page, and begins with the next one; that one may have what was missing
      // where the server has refused the others.
      if (!this.#link.status.refused || !this.#pages.has(asked.page)) {
        this.#link.open();
      }
      this.#pages.add(asked.page);
      this.#tellWhere();
    } else if (asked.kind === "bye") {
      this.#pages.delete(asked.page);
      if (this.#pages.size === 0 && this.#own === null) {
        clearTimeout(this.#lingering);
        this.#lingering = setTimeout(() => {
          this.#lingering = undefined;
          this.#link.close();
        }, LINGER_MS);
      }
    } else if (asked.kind === "command") {
      this.command(asked.command);
    }
  }
}

function obey(link: Link, command: Command): void {
  switch (command.do) {
    case "wake":
      link.wake();
      break;
    case "cut":
      link.cut();
      break;
    case "reconnect":
      link.close();
      link.open();
      break;
    case "use":
      link.use(command.transports);
      break;
  }
}

/** Follows whoever leads, and leads where nobody does. */
class FollowingLink implements SharedLink {
  readonly #options: LinkOptions;
  readonly #page: Page;
  readonly #workerUrl: string | null;
  readonly #id = newId();
  #channel: BroadcastChannel | null = null;
  #leader: Leader | null = null;
  /** The leader that was heard last. */
  #leaderId = "";
  #status: LinkStatus;
  #release: (() => void) | null = null;
  /** The request for the lock that is waiting, and the one under which this page leads. */
  #waiting: AbortController | null = null;
  #term: AbortController | null = null;
  #heardAt = 0;
  /** How many hellos in a row nobody has answered. */
  #misses = 0;
  #askTimer: Timer;
  #answerTimer: Timer;

  constructor(options: LinkOptions, page: Page, workerUrl: string | null) {
    this.#options = options;
    this.#page = page;
    this.#workerUrl = canWork(workerUrl) ? workerUrl : null;
    this.#status = new Link(options, page).status;
  }

  get status(): LinkStatus {
    return this.#leader?.status ?? this.#status;
  }

  get leads(): boolean {
    return this.#leader !== null;
  }

  open(): void {
    if (this.#channel || this.#leader) {
      return;
    }
    this.#leaderId = "";
    this.#heardAt = this.#misses = 0;
    this.#become({ ...this.#status, state: "connecting", reason: null });
    this.#channel = new BroadcastChannel(channelName(this.#options));
    this.#channel.onmessage = ({ data }) => this.#told(data);
    if (this.#workerUrl !== null) {
      this.#startWorker(this.#workerUrl);
    } else {
      this.#stand(false);
    }
    this.#ask();
  }

  command(command: Command): void {
    if (this.#leader) {
      this.#leader.command(command);
    } else {
      this.#say({ kind: "command", command });
      if (command.do === "wake" && this.#channel) {
        this.#ask();
      }
    }
  }

  close(): void {
    this.#say({ kind: "bye", page: this.#id });
    this.#stopWaiting();
    this.#channel?.close();
    this.#channel = null;
    this.#leader?.close();
    this.#leader = null;
    this.#release?.();
    this.#release = null;
    this.#become({ ...this.#status, state: "disconnected", transport: null, reason: null, retryAt: null });
  }

  #startWorker(url: string): void {
    try {
      const worker = new (globalThis as unknown as WorkerHost).SharedWorker(url, {
        name: channelName(this.#options),
      });
      // A worker that cannot be loaded says so; one that never answers is found out by asking.
      worker.onerror = () => this.#stand(false);
    } catch {
      this.#stand(false);
    }
  }

  #say(asked: Asked): void {
    this.#channel?.postMessage(asked);
  }

  #told(told: Told | Asked): void {
    if (this.#leader || told.kind === "hello" || told.kind === "bye" || told.kind === "command") {
      return;
    }
    this.#heardAt = performance.now();
    this.#misses = 0;
    clearTimeout(this.#answerTimer);
    switch (told.kind) {
      case "here":
        if (told.by !== this.#leaderId) {
          // It may not have heard the first hello.
          this.#leaderId = told.by;
          this.#say({ kind: "hello", page: this.#id });
        }
        this.#become(told.status);
        if (told.position) {
          this.#page.position(told.position);
        }
        break;
      case "status":
        this.#become(told.status);
        break;
      case "event":
        this.#page.counted("received");
        this.#page.event(told.epoch, told.event);
        break;
      case "position":
        this.#page.position(told.cursor);
        break;
      case "gap":
        this.#page.gap();
        break;
      case "clients":
        this.#page.clients(told.count);
        break;
    }
  }

  /** Ask whether somebody leads; where nobody answers, stand for it, and the second time take it. */
  #ask(): void {
    clearTimeout(this.#askTimer);
    clearTimeout(this.#answerTimer);
    this.#say({ kind: "hello", page: this.#id });
    this.#answerTimer = setTimeout(() => {
      this.#misses += 1;
      this.#stand(this.#misses > (this.#heardAt > 0 ? MISSES_OF_KNOWN : MISSES_OF_UNKNOWN));
      if (this.#channel) {
        this.#ask();
      }
    }, ANSWER_MS);
    this.#askInTime();
  }

  #askInTime(): void {
    const patience = ASK_MS + Math.random() * ASK_SPREAD_MS;
    const silence = performance.now() - this.#heardAt;
    const left = silence < patience ? patience - silence : patience;
    this.#askTimer = setTimeout(() => {
      if (performance.now() - this.#heardAt < ASK_MS) {
        this.#askInTime();
      } else {
        this.#ask();
      }
    }, left);
  }

  /** Wait for the lock; `take` it from one that has it and does not answer. */
  #stand(take: boolean): void {
    if (!this.#channel || this.#leader) {
      return;
    }
    if (!canLock()) {
      this.#lead();
      return;
    }
    if (this.#waiting && !take) {
      return;
    }
    this.#waiting?.abort();
    const waiting = new AbortController();
    this.#waiting = waiting;
    const name = channelName(this.#options);
    const options: LockOptions = take ? { steal: true } : { signal: waiting.signal };
    navigator.locks
      .request(name, options, () => {
        if (waiting.signal.aborted || !this.#channel) {
          return undefined;
        }
        this.#term = waiting;
        this.#lead();
        return new Promise<void>((resolve) => {
          this.#release = resolve;
        });
      })
      .catch(() => this.#stepDown(waiting));
  }

  #lead(): void {
    this.#waiting = null;
    this.#stopWaiting();
    this.#channel?.close();
    this.#channel = null;
    this.#leader = new Leader(this.#options, this.#page);
    this.#leader.open();
  }

  /** Another has taken the lock, because this page did not answer. */
  #stepDown(term: AbortController): void {
    if (this.#leader && this.#term === term) {
      this.#status = this.#leader.status;
      this.#leader.close();
      this.#leader = null;
      this.#release = null;
      this.open();
    }
  }

  #stopWaiting(): void {
    clearTimeout(this.#askTimer);
    clearTimeout(this.#answerTimer);
    this.#waiting?.abort();
    this.#waiting = null;
  }

  #become(status: LinkStatus): void {
    this.#status = status;
    this.#page.status(status);
  }
}

function newId(): string {
  return Math.random().toString(36).slice(2);
}

interface WorkerHost {
  readonly SharedWorker: new (url: string, options: { readonly name: string }) => { onerror: unknown };
}

/** What a worker is named, read back: the options of the link that it is to lead. */
export function optionsIn(name: string): LinkOptions | null {
  try {
    const options: unknown = JSON.parse(name.slice(PREFIX.length));
    return isData(options) ? (options as unknown as LinkOptions) : null;
  } catch {
    return null;
  }
}
