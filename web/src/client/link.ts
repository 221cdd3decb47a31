/**
 * One live link to the log, over whatever transport works.
 *
 *     connecting ──▶ connected ◀──▶ reconnecting ──(attempts used up)──▶ polling
 *                    any ──(closed, or refused for good)──▶ disconnected
 *
 * What holds at any time:
 *
 * - events come in order and once, from the place on where the link was opened; each way back in begins where the last
 *   one ended, whatever transport it takes;
 * - `connected` means that the server has greeted and was heard within two of its heartbeats;
 * - the first attempt after a loss takes the transport that worked; each other one tries them all, from the best down;
 * - on a lesser transport, better ones are tried meanwhile, and taken once they greet: nothing stops meanwhile.
 */

import { Backoff } from "./backoff";
import { openEventStream } from "./event-stream";
import { openLongPoll, openPolling } from "./poll";
import type { Cursor, LogEvent } from "./protocol";
import type {
  Endpoint,
  Failure,
  Greeting,
  OpenTransport,
  Transport,
  TransportListener,
  TransportName,
} from "./transport";
import { openWebSocket } from "./websocket";

export type LinkState = "connecting" | "connected" | "reconnecting" | "polling" | "disconnected";

export interface LinkStatus {
  readonly state: LinkState;
  /** The transport in use; null while there is none. */
  readonly transport: TransportName | null;
  /** Where the server was found, or is looked for. */
  readonly endpoint: Endpoint;
  readonly clientId: string | null;
  /** Why there is no live connection, as a sentence for people; null while all is well, or after `close`. */
  readonly reason: string | null;
  /** When the next attempt begins, in milliseconds since 1970; null while one is under way, or none will be. */
  readonly retryAt: number | null;
  /** The server will not have this client, however it comes. */
  readonly refused: boolean;
  /** How many attempts have failed since there was a connection. */
  readonly attempts: number;
}

/** What one may choose; times in milliseconds. */
export interface LinkOptions {
  readonly endpoints: readonly [Endpoint, ...Endpoint[]];
  /** From the one that is preferred down. */
  readonly transports: readonly TransportName[];
  readonly reconnectInterval: number;
  readonly reconnectDecay: number;
  readonly maxReconnectInterval: number;
  readonly maxReconnectAttempts: number;
  readonly enablePolling: boolean;
  readonly pollingInterval: number;
  /** How often this side says that it lives; the server's own interval counts where it is shorter. */
  readonly heartbeatInterval: number;
  readonly token?: string | undefined;
  /** The key of the browser session, for a link in a worker, which cannot read it itself. */
  readonly key?: string | undefined;
}

/** Who is told what. */
export interface LinkListener {
  status(status: LinkStatus): void;
  event(epoch: string, event: LogEvent): void;
  /** The log stands here for this link: what came before has been told, or was lost on the way. */
  position(cursor: Cursor): void;
  /** Some events can no longer be had: whoever has not seen them asks the log. */
  gap(): void;
  clients(count: number): void;
  /** A message came in, or went out. */
  counted(direction: "received" | "sent"): void;
}

/** What stands between a link and the world, for tests. */
export interface LinkSurroundings {
  readonly open: Readonly<Record<TransportName, OpenTransport>>;
  readonly random: () => number;
}

const WORLD: LinkSurroundings = {
  open: {
    websocket: openWebSocket,
    sse: openEventStream,
    "long-poll": openLongPoll,
    polling: openPolling,
  },
  random: Math.random,
};

const GREETING_MS = 10_000;
const PROBE_MS = 5_000;
/** A way that is lost sooner has not worked: some networks let a first answer through, and cut all that wait. */
const SETTLED_MS = 5_000;
const SILENT_BEATS = 2;
const CLIMB = { first: 5_000, longest: 120_000, growth: 2 };
const TICK_MS = 5_000;
/** A clock that has jumped by so much more than a tick: the machine has slept. */
const SLEPT_MS = 15_000;

type Timer = ReturnType<typeof setTimeout> | undefined;

/** A way in that may be tried. */
interface Way {
  readonly endpoint: Endpoint;
  readonly transport: TransportName;
}

export class Link {
  readonly #listener: LinkListener;
  readonly #world: LinkSurroundings;
  readonly #backoff: Backoff;
  readonly #climbing: Backoff;
  #options: LinkOptions;
  #status: LinkStatus;
  #cursor: Cursor | null = null;
  /** The way that is in use, or worked last. */
  #way: Way | null = null;
  #active: Trial | null = null;
  /** The way that is tried while there is none in use, and the better one that is tried meanwhile. */
  #trial: Trial | null = null;
  #better: Trial | null = null;
  #lostOnce = false;
  /** When the way in use greeted, by the clock of the page. */
  #takenAt = 0;
  /** How many ways in turn were lost before they had settled. */
  #fleeting = 0;
  #longestSilence = 0;
  #heardAt = 0;
  #retryTimer: Timer;
  #climbTimer: Timer;
  #silenceTimer: Timer;
  #probeTimer: Timer;
  #tickTimer: ReturnType<typeof setInterval> | undefined;

  constructor(options: LinkOptions, listener: LinkListener, world: LinkSurroundings = WORLD) {
    this.#options = options;
    this.#listener = listener;
    this.#world = world;
    const { random } = world;
    this.#backoff = new Backoff({
      first: options.reconnectInterval,
      longest: options.maxReconnectInterval,
      growth: options.reconnectDecay,
      random,
    });
    this.#climbing = new Backoff({ ...CLIMB, random: () => (1 + random()) / 2 });
    this.#status = {
      state: "disconnected",
      transport: null,
      endpoint: options.endpoints[0],
      clientId: null,
      reason: null,
      retryAt: null,
      refused: false,
      attempts: 0,
    };
  }

  get status(): LinkStatus {
    return this.#status;
  }

  /** Up to where events have come; null before the first connection. */
  get cursor(): Cursor | null {
    return this.#cursor;
  }

  /** Connect; from a cursor on, or from where the link was left. */
  open(since: Cursor | null = null): void {
    if (this.#status.state === "disconnected") {
      this.#cursor = since ?? this.#cursor;
      this.#lostOnce = false;
      this.#fleeting = 0;
      this.#backoff.reset();
      this.#watchClock();
      this.#set({ state: "connecting", reason: null, refused: false, attempts: 0 });
      this.#attempt(this.#ways());
    }
  }

  close(): void {
    this.#end(null);
  }

  /** The network or the machine has come back: try now, or make sure that the connection still lives. */
  wake(): void {
    if (this.#active) {
      if (this.#active.transport?.probe()) {
        clearTimeout(this.#probeTimer);
        this.#probeTimer = setTimeout(() => this.#lose({ reason: "The server does not answer." }), PROBE_MS);
      } else {
        this.#climb(this.#waysUpTo(true), () => this.#lose({ reason: "The server does not answer." }));
      }
    } else if (this.#status.retryAt !== null) {
      this.#retry();
    }
  }

  /**
   * Connect again, for a page that finds nobody else here: browsers put a worker to sleep with the page before, and cut its
   * connections. That is nobody's attempt in vain.
   */
  renew(): void {
    if (this.#active || this.#status.retryAt !== null) {
      this.#leave();
      this.#fleeting = 0;
      this.#backoff.reset();
      this.#set({ state: "connecting", transport: null, reason: null, attempts: 0 });
      this.#attempt(this.#ways());
    }
  }

  /** Break the connection as if the network had. */
  cut(): void {
    this.#lose({ reason: "The connection was cut." });
  }

  /** Use only these transports from now on. */
  use(transports: readonly TransportName[]): void {
    this.#options = { ...this.#options, transports };
    this.#way = null;
    if (this.#status.state !== "disconnected") {
      this.#leave();
      this.#set({ state: "reconnecting", transport: null });
      this.#attempt(this.#ways());
    }
  }

  /** All ways, from the best down; the server that was found is the only one. */
  #ways(): Way[] {
    const endpoints = this.#way ? [this.#way.endpoint] : this.#options.endpoints;
    const transports = this.#options.transports.filter((name) => name !== "polling");
    return endpoints.flatMap((endpoint) => transports.map((transport) => ({ endpoint, transport })));
  }

  /** Those that are better than the one in use; with itself where it cannot be asked whether it lives. */
  #waysUpTo(inclusive: boolean): Way[] {
    const ways = this.#ways();
    const place = ways.findIndex(({ transport }) => transport === this.#way?.transport);
    return place < 0 ? ways : ways.slice(0, inclusive ? place + 1 : place);
  }

  /** Try one way after the other until one greets. */
  #attempt(ways: readonly Way[]): void {
    const [way, ...others] = ways;
    if (!way) {
      const only = this.#options.transports.every((name) => name === "polling");
      this.#missed({ reason: "There is no way to the server." }, only);
      return;
    }
    this.#trial = new Trial(way, this.#request(way), this.#world.open[way.transport], {
      greeted: (trial, greeting) => this.#take(trial, greeting),
      failed: (_, failure) => {
        this.#trial = null;
        if (failure.final) {
          this.#end(failure.reason, true);
        } else if (others.length > 0 && failure.delay === undefined) {
          this.#attempt(others);
        } else {
          this.#missed(failure);
        }
      },
    });
  }

  #request({ endpoint }: Way) {
    const { token, key, pollingInterval, heartbeatInterval } = this.#options;
    return { endpoint, since: this.#cursor, token, key, pollingInterval, heartbeatInterval };
  }

  /** An attempt has come to nothing. */
  #missed(failure: Failure, pollOnly = false): void {
    const attempts = this.#status.attempts + 1;
    if (this.#status.state !== "polling" && (pollOnly || attempts >= this.#options.maxReconnectAttempts)) {
      this.#fallBack(failure, attempts);
    } else {
      this.#wait(failure, attempts);
    }
  }

  /** Attempts are used up: read at an interval from now on, and go on trying meanwhile. */
  #fallBack({ reason }: Failure, attempts: number): void {
    if (!this.#options.enablePolling || !this.#options.transports.includes("polling")) {
      this.#end(reason);
      return;
    }
    this.#set({ state: "polling", transport: "polling", reason, attempts });
    this.#poll();
    this.#scheduleClimb();
  }

  #poll(): void {
    const way: Way = { endpoint: this.#status.endpoint, transport: "polling" };
    const { polling } = this.#world.open;
    this.#trial = new Trial(way, this.#request(way), polling, {
      greeted: (trial, greeting) => this.#take(trial, greeting),
      failed: (_, failure) => {
        this.#trial = null;
        if (failure.final) {
          this.#end(failure.reason, true);
        } else {
          this.#pollLater(failure);
        }
      },
    });
  }

  #pollLater({ reason, delay }: Failure): void {
    this.#set({ reason });
    this.#retryTimer = setTimeout(() => this.#poll(), delay ?? this.#options.pollingInterval);
  }

  /** A way has greeted: it takes the place of the one in use. */
  #take(trial: Trial, { cursor, heartbeat, clientId }: Greeting): void {
    const { way } = trial;
    for (const other of [this.#trial, this.#better]) {
      if (other !== trial) {
        other?.close();
      }
    }
    this.#trial = this.#better = null;
    this.#drop();
    this.#active = trial;
    this.#way = way;
    this.#takenAt = performance.now();
    this.#lostOnce = false;
    this.#longestSilence = SILENT_BEATS * heartbeat;
    this.#heardAt = performance.now();
    this.#watchSilence();
    this.#cursor ??= cursor;
    const { endpoint, transport } = way;
    const state = transport === "polling" ? "polling" : "connected";
    this.#set({ state, transport, endpoint, clientId, reason: null, attempts: 0 });
    this.#listener.position(this.#cursor);
    trial.listen(this.#hear());
    if (this.#waysUpTo(false).length > 0) {
      this.#scheduleClimb();
    } else {
      this.#climbing.reset();
    }
  }

  #hear(): TransportListener {
    return {
      greeted: () => {},
      event: (epoch, event) => {
        const cursor = this.#cursor;
        if (cursor?.epoch === epoch && event.id <= cursor.id) {
          return;
        }
        this.#cursor = { epoch, id: event.id };
        this.#listener.event(epoch, event);
      },
      gap: ({ cursor }) => {
        this.#cursor = cursor;
        this.#listener.gap();
      },
      position: (cursor) => this.#moveTo(cursor),
      heard: () => {
        this.#heardAt = performance.now();
        clearTimeout(this.#probeTimer);
        this.#listener.counted("received");
      },
      clients: (count) => this.#listener.clients(count),
      sent: () => this.#listener.counted("sent"),
      failed: (failure) => this.#lose(failure),
    };
  }

  #moveTo(cursor: Cursor): void {
    if (this.#cursor?.epoch !== cursor.epoch || cursor.id > this.#cursor.id) {
      this.#cursor = cursor;
    }
    this.#listener.position(cursor);
  }

  /** One timer, however many messages come: as it ends it sees when the last one came, and waits for the rest. */
  #watchSilence(): void {
    clearTimeout(this.#silenceTimer);
    const left = this.#heardAt + this.#longestSilence - performance.now();
    if (left > 0) {
      this.#silenceTimer = setTimeout(() => this.#watchSilence(), left);
    } else {
      this.#lose({ reason: "The server is silent.", delay: 0 });
    }
  }

  /** A machine that has slept finds out by its clock, long before its timers would tell. */
  #watchClock(): void {
    let last = Date.now();
    this.#tickTimer = setInterval(() => {
      const slept = Date.now() - last > TICK_MS + SLEPT_MS;
      last = Date.now();
      if (slept) {
        this.wake();
      }
    }, TICK_MS);
  }

  #lose(failure: Failure): void {
    if (failure.final) {
      this.#end(failure.reason, true);
    } else if (this.#active) {
      this.#drop();
      if (this.#status.state === "polling") {
        this.#pollLater(failure);
      } else {
        this.#stopTrying();
        this.#lostOnce = true;
        if (performance.now() - this.#takenAt >= SETTLED_MS) {
          this.#backoff.reset();
          this.#fleeting = 0;
        } else {
          this.#fleeting += 1;
        }
        if (this.#fleeting > this.#options.maxReconnectAttempts) {
          this.#fallBack(failure, this.#fleeting);
        } else {
          this.#wait(failure, 0);
        }
      }
    }
  }

  #wait({ reason, delay }: Failure, attempts: number): void {
    // Where the server named a delay it has spread its clients already.
    const milliseconds = delay ?? this.#backoff.next();
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#retry(), milliseconds);
    const retryAt = Date.now() + milliseconds;
    this.#set({ state: "reconnecting", transport: null, reason, attempts, retryAt });
  }

  #retry(): void {
    clearTimeout(this.#retryTimer);
    this.#set({ reason: this.#status.reason });
    const [way, first] = [this.#way, this.#lostOnce];
    this.#lostOnce = false;
    this.#attempt(first && way ? [way] : this.#ways());
  }

  #scheduleClimb(): void {
    clearTimeout(this.#climbTimer);
    this.#climbTimer = setTimeout(() => this.#climb(this.#waysUpTo(false)), this.#climbing.next());
  }

  /** Try better ways while one is in use. */
  #climb(ways: readonly Way[], exhausted = () => this.#scheduleClimb()): void {
    const [way, ...others] = ways;
    if (way && !this.#better) {
      this.#better = new Trial(way, this.#request(way), this.#world.open[way.transport], {
        greeted: (trial, greeting) => this.#take(trial, greeting),
        failed: () => {
          this.#better = null;
          if (others.length > 0) {
            this.#climb(others, exhausted);
          } else {
            exhausted();
          }
        },
      });
    }
  }

  #stopTrying(): void {
    clearTimeout(this.#climbTimer);
    this.#trial?.close();
    this.#better?.close();
    this.#trial = this.#better = null;
  }

  /** Let go of the transport in use: nothing more is heard of it, whatever it still does. */
  #drop(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#silenceTimer);
    clearTimeout(this.#probeTimer);
    this.#active?.close();
    this.#active = null;
  }

  #leave(): void {
    this.#drop();
    this.#stopTrying();
  }

  #end(reason: string | null, refused = false): void {
    this.#leave();
    clearInterval(this.#tickTimer);
    this.#set({ state: "disconnected", transport: null, clientId: null, reason, refused });
  }

  #set(change: Partial<LinkStatus>): void {
    this.#status = { ...this.#status, retryAt: null, ...change };
    this.#listener.status(this.#status);
  }
}

/** Who is told what became of a way that is tried. */
interface TrialListener {
  greeted(trial: Trial, greeting: Greeting): void;
  failed(trial: Trial, failure: Failure): void;
}

/** A transport that has not greeted yet. What comes after its greeting goes to whoever listens then. */
class Trial {
  readonly way: Way;
  transport: Transport | null = null;
  #closed = false;
  #timer: Timer;
  #listener: TransportListener | null = null;

  constructor(
    way: Way,
    request: Parameters<OpenTransport>[0],
    open: OpenTransport,
    { greeted, failed }: TrialListener,
  ) {
    this.way = way;
    const fail = (failure: Failure) => {
      if (!this.#closed && !this.#listener) {
        this.close();
        failed(this, failure);
      }
    };
    this.#timer = setTimeout(() => fail({ reason: "The server does not answer." }), GREETING_MS);
    const listening: TransportListener = {
      greeted: (greeting) => {
        clearTimeout(this.#timer);
        if (!this.#closed && !this.#listener) {
          greeted(this, greeting);
        }
      },
      event: (epoch, event) => this.#listener?.event(epoch, event),
      gap: (gap) => this.#listener?.gap(gap),
      position: (cursor) => this.#listener?.position(cursor),
      heard: () => this.#listener?.heard(),
      clients: (count) => this.#listener?.clients(count),
      sent: () => this.#listener?.sent(),
      failed: (failure) => (this.#listener ? this.#listener.failed(failure) : fail(failure)),
    };
    try {
      this.transport = open(request, listening);
    } catch {
      // A browser that forbids an address throws at once.
      queueMicrotask(() => fail({ reason: "The browser does not allow this connection." }));
    }
  }

  listen(listener: TransportListener): void {
    this.#listener = listener;
  }

  close(): void {
    this.#closed = true;
    this.#listener = null;
    clearTimeout(this.#timer);
    this.transport?.close();
  }
}
