/** The client that an application uses: events with handlers, the state that they make, and how the connection is. */

import type { EventDataByType } from "../client/catalogue";
import { readJson, readPage, readSnapshot, request } from "../client/http";
import type { LinkOptions, LinkStatus } from "../client/link";
import {
  type Cursor,
  type Data,
  formatCursor,
  type Gap,
  isLogEvent,
  type LogEvent,
  type Snapshot,
} from "../client/protocol";
import { readKey } from "../client/session-key";
import { type Page, type SharedLink, shareLink } from "../client/tabs";
import { type Endpoint, TRANSPORTS, type TransportName } from "../client/transport";
import type { FleetState } from "../state/index";
import { CursorStore } from "./cursor-store";
import { endpointsFor } from "./endpoints";
import { type ConnectionState, DEFAULTS, type RealtimeOptions } from "./options";
import { watchPage } from "./page-life";
import { Reader } from "./reader";
import type { HistoryEvent, Published, RealtimeMetrics, RealtimeState } from "./reports";
import { loadFold, pageAddress, SCRIPT_URL, workerNextTo } from "./scripts";
import { Subscriptions } from "./subscriptions";

/** A handler of one type of event; the second argument is the event as the log has it. */
export type Handler<Body = unknown> = (data: Body, event: LogEvent) => void;

/** What is reported in addition to the events of the log, by the names of `addEventListener`. */
const OWN_EVENTS = new Set([
  "connected",
  "disconnected",
  "stateChange",
  "error",
  "message",
  "history",
  "gap",
  "snapshot",
  "state",
  "clients",
  "poll:update",
  "ping",
  "pong",
]);

const PUBLISH_ATTEMPTS = 5;
const PUBLISH_RETRY_MS = 500;

export class MCRealtimeClient extends EventTarget {
  readonly config: Readonly<Required<Omit<RealtimeOptions, "token">> & { token: string | undefined }>;
  readonly #page: Page;
  readonly #link: SharedLink;
  readonly #endpoints: readonly [Endpoint, ...Endpoint[]];
  readonly #store: CursorStore | null;
  readonly #reader: Reader;
  readonly #subscriptions = new Subscriptions();
  readonly #handlers = new Map<string, Set<Handler<never>>>();
  readonly #listened = new Set<string>();
  #history: HistoryEvent[] = [];
  #historyAsked = false;
  #status: LinkStatus;
  /** Whether it is to be connected; null until somebody has said so. */
  #wanted: boolean | null = null;
  #hidden = false;
  #connecting: PromiseWithResolvers | null = null;
  #stateTimer: ReturnType<typeof setTimeout> | undefined;
  #pollTimer: ReturnType<typeof setInterval> | undefined;
  #received = 0;
  #sent = 0;
  #connections = 0;
  #gaps = 0;
  #uptime = 0;
  #connectedAt: number | null = null;
  #lastConnectedAt: number | null = null;

  constructor(options: RealtimeOptions = {}) {
    super();
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    const [pageUrl, scriptUrl] = [pageAddress(), SCRIPT_URL];
    this.#endpoints = endpointsFor(options, pageUrl, scriptUrl);
    const [{ wsUrl, apiUrl }] = this.#endpoints;
    const workerUrl = workerNextTo(pageUrl, scriptUrl);
    this.config = { token: undefined, ...DEFAULTS, workerUrl, ...given, wsUrl, apiUrl };
    this.#store = this.config.resume ? new CursorStore(apiUrl) : null;
    this.#reader = this.#newReader(this.#store?.load() ?? null);
    this.#page = this.#listenToLink();
    this.#link = shareLink(this.#linkOptions(), this.#page, this.config.share, this.config.workerUrl);
    this.#status = this.#link.status;
    watchPage({
      wake: () => this.#link.command({ do: "wake" }),
      hide: () => this.#hide(),
      show: () => this.#show(),
    });
    if (this.config.autoConnect) {
      queueMicrotask(() => {
        if (this.#wanted === null) {
          this.connect().catch(() => {});
        }
      });
    }
    this.#log("made", this.config);
  }

  // The connection.

  /**
   * Connect. The promise is kept once events come (and `state` is there, where it is wanted and can be had), or it polls; it is broken
   * where the server will not have this page, or `disconnect` comes first.
   */
  connect(): Promise<void> {
    this.#wanted = true;
    this.#connecting ??= promiseWithResolvers();
    const { promise } = this.#connecting;
    this.#link.open();
    this.#settle();
    return promise;
  }

  disconnect(): void {
    this.#wanted = false;
    this.#leave();
    this.#connecting?.reject(new Error("Disconnected."));
    this.#connecting = null;
    this.#emit("disconnected", null);
  }

  reconnect(): Promise<void> {
    this.disconnect();
    return this.connect();
  }

  /** Break the connection as if the network had: it comes back by itself, with everything that happened meanwhile. */
  dropConnection(): void {
    this.#link.command({ do: "cut" });
  }

  /** Use only these transports from now on, from the first down. */
  useTransports(transports: readonly TransportName[]): void {
    const unknown = transports.find((name) => !TRANSPORTS.includes(name));
    if (unknown !== undefined || transports.length === 0) {
      throw new TypeError(`${JSON.stringify(unknown ?? transports)}: use some of ${TRANSPORTS.join(", ")}.`);
    }
    this.#link.command({ do: "use", transports });
  }

  isConnected(): boolean {
    return this.#status.state === "connected";
  }

  isPolling(): boolean {
    return this.#status.state === "polling";
  }

  get clientId(): string | null {
    return this.#status.clientId;
  }

  /**
   * The fleet as the events make it; null before the first snapshot, where `state: false` was chosen, and where
   * `realtime-state.mjs` can be loaded neither from next to this script nor from the server.
   */
  get state(): FleetState | null {
    return this.#reader.state;
  }

  getState(): RealtimeState {
    const { clientId, transport, reason, retryAt } = this.#status;
    const { cursor } = this.#reader;
    return {
      state: this.#connectionState(),
      clientId,
      subscriptions: this.#subscriptions.list,
      metrics: this.metrics,
      connected: this.isConnected(),
      transport,
      reason,
      retryAt,
      stale: this.#isStale(),
      cursor: cursor && formatCursor(cursor),
      leads: this.#link.leads,
    };
  }

  get metrics(): RealtimeMetrics {
    const reconnects = Math.max(0, this.#connections - 1);
    return {
      messagesReceived: this.#received,
      messagesSent: this.#sent,
      reconnects,
      reconnectCount: reconnects,
      lastConnectedAt: this.#lastConnectedAt,
      totalUptime: this.#uptime + (this.#connectedAt === null ? 0 : Date.now() - this.#connectedAt),
      gaps: this.#gaps,
    };
  }

  // What is heard.

  subscribe(events: string | readonly string[]): this {
    this.#subscriptions.subscribe(listOf(events));
    return this;
  }

  unsubscribe(events: string | readonly string[]): this {
    this.#subscriptions.unsubscribe(listOf(events));
    return this;
  }

  subscribeAll(): this {
    return this.subscribe("*");
  }

  clearSubscriptions(): this {
    this.#subscriptions.clear();
    return this;
  }

  /** Have a handler called with the data of each event of a type or of a pattern. */
  on<Type extends keyof EventDataByType>(type: Type, handler: Handler<EventDataByType[Type]>): this;
  // biome-ignore lint/suspicious/noExplicitAny: the data of a type that nobody has described may be anything
  on(type: string, handler: Handler<any>): this;
  on(type: string, handler: Handler<never>): this {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler));
    this.#hear(type);
    return this;
  }

  off(type: string, handler: Handler<never>): this {
    const handlers = this.#handlers.get(type);
    if (handlers?.delete(handler) && handlers.size === 0) {
      this.#handlers.delete(type);
      if (!this.#listened.has(type)) {
        this.#subscriptions.unhandle(type);
      }
    }
    return this;
  }

  override addEventListener(...[type, ...rest]: Parameters<EventTarget["addEventListener"]>): void {
    this.#listened.add(type);
    this.#hear(type);
    super.addEventListener(type, ...rest);
  }

  #hear(type: string): void {
    if (!OWN_EVENTS.has(type)) {
      this.#subscriptions.handle(type);
    }
  }

  /** The newest events, newest first. */
  getHistory(limit = 50): readonly HistoryEvent[] {
    return this.#history.slice(0, limit);
  }

  // What is said.

  /** Publish an event; the promise is kept once it is durable. Sent again after a failure it is told once all the same. */
  async publish(type: string, data: Data = {}, key: string = newKey()): Promise<Published> {
    const body = JSON.stringify({ type, data, key });
    for (let attempt = 1; ; attempt += 1) {
      try {
        const headers = { "content-type": "application/json" };
        const response = await request("/api/events", this.#http(), { method: "POST", body, headers });
        this.#sent += 1;
        return (await response.json()) as Published;
      } catch (error) {
        const status = (error as { status?: number }).status ?? 0;
        if ((status > 0 && status < 500) || attempt >= PUBLISH_ATTEMPTS) {
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, PUBLISH_RETRY_MS * attempt));
      }
    }
  }

  // How it is done.

  #linkOptions(): LinkOptions {
    const { config } = this;
    return {
      endpoints: this.#endpoints,
      transports: config.transports,
      reconnectInterval: config.reconnectInterval,
      reconnectDecay: config.reconnectDecay,
      maxReconnectInterval: config.maxReconnectInterval,
      maxReconnectAttempts: config.maxReconnectAttempts,
      heartbeatInterval: config.heartbeatInterval,
      enablePolling: config.enablePolling,
      pollingInterval: config.pollingInterval,
      token: config.token,
      key: readKey(),
    };
  }

  #http() {
    return { apiUrl: (this.#status ?? this.#link.status).endpoint.apiUrl, token: this.config.token };
  }

  #newReader(since: Cursor | null): Reader {
    return new Reader(
      {
        page: (cursor) => readPage(this.#http(), cursor, 0),
        snapshot: () => readSnapshot(this.#http()),
        fold: () => loadFold(this.#http().apiUrl),
      },
      {
        event: (event) => this.#event(event),
        gap: (gap, snapshot) => this.#gap(gap, snapshot),
        snapshot: (snapshot) => this.#snapshot(snapshot),
        stateless: () => this.#stateless(),
      },
      since,
      this.config.state,
    );
  }

  #listenToLink(): Page {
    const client = this;
    return {
      get cursor() {
        return client.#reader.cursor;
      },
      status: (status) => this.#changed(status),
      event: (epoch, event) => this.#reader.event(epoch, event),
      position: (cursor) => this.#reader.position(cursor),
      gap: () => this.#reader.gap(),
      clients: (count) => this.#emit("clients", { count }),
      counted: (direction) => {
        if (direction === "received") {
          this.#received += 1;
        } else {
          this.#sent += 1;
        }
      },
    };
  }

  #connectionState(): ConnectionState {
    const { state, refused } = this.#status;
    return refused ? "error" : state;
  }

  #isStale(): boolean {
    const { state, reason } = this.#status;
    return state !== "connected" && !(state === "polling" && reason === null);
  }

  #changed(status: LinkStatus): void {
    const before = this.#status;
    this.#status = status;
    const live = status.state === "connected";
    if (live !== (before?.state === "connected")) {
      this.#count(live);
    }
    if (before && KEYS.every((key) => before[key] === status[key])) {
      return;
    }
    const state = this.#connectionState();
    this.#log("is", state, status.transport, status.reason);
    const { clientId, transport, reason, retryAt } = status;
    this.#emit("stateChange", { state, clientId, transport, reason, retryAt, stale: this.#isStale() });
    if (reason !== null && reason !== before?.reason) {
      this.#emit("error", { error: reason, state });
    }
    if (live && before?.state !== "connected") {
      this.#emit("connected", { clientId, transport });
    }
    if (live || status.state === "polling") {
      void this.#readHistory();
    }
    this.#pollWhile(status.state === "polling");
    this.#settle();
  }

  #count(live: boolean): void {
    const now = Date.now();
    if (live) {
      this.#connections += 1;
      this.#connectedAt = this.#lastConnectedAt = now;
    } else if (this.#connectedAt !== null) {
      this.#uptime += now - this.#connectedAt;
      this.#connectedAt = null;
    }
  }

  /** Keep or break the promise of `connect`, where it is time. */
  #settle(): void {
    const { state, refused, reason } = this.#status;
    const known = !this.config.state || this.#reader.stateless || this.#reader.state !== null;
    if ((state === "connected" && known) || state === "polling") {
      this.#connecting?.resolve();
    } else if (state === "disconnected" && (refused || reason !== null)) {
      this.#connecting?.reject(new Error(reason ?? "Disconnected."));
      this.#connecting = null;
    }
  }

  #event(event: LogEvent): void {
    this.#store?.set({ epoch: this.#reader.cursor?.epoch ?? "", id: event.id });
    this.#tellState();
    if (!this.#subscriptions.wants(event.type)) {
      return;
    }
    this.#remember([{ ...event, timestamp: event.time, _timestamp: event.time }]);
    this.#dispatch(event.type, event.data);
    this.#dispatch("message", event);
    this.#call(event.type, event.data, event);
    const category = event.type.slice(0, event.type.indexOf(":"));
    for (const pattern of [category, `${category}:*`, "*"]) {
      this.#call(pattern, event.data, event);
    }
    this.#call("message", event, event);
  }

  #gap(gap: Gap, snapshot: Snapshot | null): void {
    this.#gaps += 1;
    this.#store?.set(gap.cursor);
    const { from, to, reason, cursor } = gap;
    this.#emit("gap", { from, to, reason, cursor: formatCursor(cursor), snapshot });
    this.#tellState();
    this.#settle();
  }

  #snapshot(snapshot: Snapshot): void {
    this.#emit("snapshot", snapshot);
    this.#tellState();
    this.#settle();
  }

  #stateless(): void {
    this.#emit("error", {
      error: "realtime-state.mjs cannot be loaded.",
      state: this.#connectionState(),
    });
    this.#settle();
  }

  /** Say that the state is another one: once for all that came in one go. */
  #tellState(): void {
    if (this.#listened.has("state") || this.#handlers.has("state")) {
      this.#stateTimer ??= setTimeout(() => {
        this.#stateTimer = undefined;
        this.#emit("state", this.state);
      });
    }
  }

  #remember(events: readonly HistoryEvent[]): void {
    const limit = this.config.messageHistoryLimit;
    const [newest] = this.#history;
    const [event] = events;
    if (events.length === 1 && event && event.id > (newest?.id ?? 0)) {
      this.#history.unshift(event);
      this.#history.length = Math.min(this.#history.length, limit);
      return;
    }
    const byId = new Map([...events, ...this.#history].map((one) => [one.id, one]));
    this.#history = [...byId.values()].sort((one, other) => other.id - one.id).slice(0, limit);
  }

  async #readHistory(): Promise<void> {
    const { messageHistoryLimit: limit } = this.config;
    if (this.#historyAsked || limit <= 0) {
      return;
    }
    this.#historyAsked = true;
    const events = await readJson(`/api/system/events?limit=${limit}`, this.#http()).catch(() => null);
    if (Array.isArray(events)) {
      this.#remember(events.filter((event) => isLogEvent(event)) as HistoryEvent[]);
      this.#emit("history", events);
    } else {
      this.#historyAsked = false;
    }
  }

  /** While it polls, the lists that the earlier server's pages ask for come too. */
  #pollWhile(polling: boolean): void {
    if (!polling) {
      clearInterval(this.#pollTimer);
      this.#pollTimer = undefined;
    } else if (this.#pollTimer === undefined) {
      this.#pollTimer = setInterval(() => void this.#poll(), this.config.pollingInterval);
      void this.#poll();
    }
  }

  async #poll(): Promise<void> {
    const paths = ["/api/agents", "/api/tasks", "/api/system/events?limit=10"];
    const read = (path: string) => readJson(path, this.#http()).catch(() => null);
    const [agents, tasks, events] = await Promise.all(paths.map(read));
    if (agents || tasks || events) {
      this.#emit("poll:update", { agents, tasks, events });
    }
  }

  /** The page is put away: what it holds would keep it out of the back-forward cache. */
  #hide(): void {
    this.#hidden = this.#wanted === true;
    this.#leave();
  }

  #leave(): void {
    this.#store?.save();
    this.#link.close();
    this.#reader.stop();
  }

  #show(): void {
    if (this.#hidden) {
      this.#hidden = false;
      this.#link.open();
    }
  }

  #emit(name: string, detail: unknown): void {
    this.#dispatch(name, detail);
    this.#call(name, detail, null);
  }

  #dispatch(name: string, detail: unknown): void {
    if (this.#listened.has(name)) {
      this.dispatchEvent(new CustomEvent(name, { detail }));
    }
  }

  /** Call the handlers of a name; one that throws harms nobody else. */
  #call(name: string, data: unknown, event: LogEvent | null): void {
    for (const handler of this.#handlers.get(name) ?? []) {
      try {
        (handler as (data: unknown, event: LogEvent | null) => void)(data, event);
      } catch (error) {
        // biome-ignore lint/suspicious/noConsole: whoever wrote the handler looks there
        console.error(`A handler of ${name} failed:`, error);
      }
    }
  }

  #log(...words: readonly unknown[]): void {
    if (this.config.debug) {
      // biome-ignore lint/suspicious/noConsole: that is what `debug` is for
      console.log("[MCRealtime]", ...words);
    }
  }
}

/** What of a link's status an application is told of. */
const KEYS = ["state", "transport", "clientId", "reason", "retryAt", "refused"] as const;

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

function promiseWithResolvers(): PromiseWithResolvers {
  let resolve = () => {};
  let reject = (_error: Error) => {};
  const promise = new Promise<void>((keep, fail) => {
    [resolve, reject] = [keep, fail];
  });
  // Whoever does not wait for it is told by events; it is not to be an error of its own.
  promise.catch(() => {});
  return { promise, resolve: () => resolve(), reject: (error) => reject(error) };
}

function listOf(events: string | readonly string[]): readonly string[] {
  return typeof events === "string" ? [events] : events;
}

function newKey(): string {
  return `web-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
}
