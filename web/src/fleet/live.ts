/** What the page knows: the connection's news as signals, folded and rendered once per frame. */

import { batch, computed, signal } from "@preact/signals";
import { type Data, type Gap, isData, type LogEvent, parseCursor, parseGap } from "../client/protocol";
import { fetchSigned } from "../client/session-key";
import { oncePerFrame } from "../page/frame";
import { serverNow, setServerTime } from "../page/server-clock";
import { readStored, store } from "../page/storage";
import type { ConnectionState } from "../realtime/options";
import { MCRealtimeClient } from "../realtime/realtime-client";
import type { Agent, FleetState } from "../state";
import { withAskers } from "./asking";
import { EventLog } from "./event-log";
import { describeEvent } from "./event-words";
import { hostOf, hostOfEvent, hostsOf, huesOf, keptIfSame, namesOf } from "./hosts";
import type { NameOf } from "./sentences";

const HISTORY = 100;
const NOBODY: readonly Agent[] = [];
/** Under this name stands the cursor up to which the alerts were seen. */
const SEEN = "alerts-seen";

/** Takes what has happened since the last frame, oldest first. */
export type Follower = (events: readonly LogEvent[]) => void;

/** How the connection is; `retryAt` in milliseconds since 1970. */
interface Connection {
  readonly state: ConnectionState;
  readonly reason: string | null;
  readonly retryAt: number | null;
  /** Whether what is shown may have changed without this page knowing. */
  readonly stale: boolean;
}

export class LiveFleet {
  readonly connection = signal<Connection>({ state: "connecting", reason: null, retryAt: null, stale: true });
  /** Null until the first snapshot. */
  readonly fleet = signal<FleetState | null>(null);
  /** When the connection was lost, in milliseconds since 1970; null while the page is live, or never was. */
  readonly frozenAt = signal<number | null>(null);
  /** When the newest event happened, in milliseconds since 1970. */
  readonly lastEventAt = signal<number | null>(null);
  readonly networkUp = signal(navigator.onLine);
  readonly simulation = signal(false);
  readonly workspace = signal<string | null>(null);
  /** The time of day, by the second. */
  readonly time = signal(serverNow());
  /** The moment of the past that is shown; null for the present. */
  readonly pastAt = signal<number | null>(null);
  /** The moment that is shown. */
  readonly now = computed(() => this.pastAt.value ?? this.time.value);
  /** Grows whenever what is shown jumps to another moment. */
  readonly cuts = signal(0);
  readonly nameOf: NameOf = (id) => this.names.peek().get(id) ?? id;
  readonly #agents = computed(() => this.fleet.value?.agents ?? NOBODY);
  /** What everybody is called, by id. */
  readonly names = computed(() => namesOf(this.#agents.value));
  #lastHosts: readonly string[] = [];
  /** The hosts of the fleet where there are two or more, else none. */
  readonly hosts = computed(() => {
    this.#lastHosts = keptIfSame(this.#lastHosts, hostsOf(this.#agents.value));
    return this.#lastHosts;
  });
  readonly hues = computed(() => huesOf(this.hosts.value));
  readonly #present = this.#newLog();
  /** The events that are shown: the newest, or those before the moment of the past. */
  readonly log = signal(this.#present);
  /** How many clients the server has; null until it says so. */
  readonly clientCount = signal<number | null>(null);
  /** Alerts that nobody at this browser has dismissed, newest first; notes stand in the list of events only. */
  readonly alerts = computed(() =>
    (this.fleet.value?.system.alerts ?? []).filter(
      ({ id, level }) => level !== "info" && id > this.#dismissed.value,
    ),
  );
  /** What stands where nothing is known yet. */
  readonly waitingWord = computed(() => (this.connection.value.reason === null ? "Loading …" : "Not known."));

  readonly #client = new MCRealtimeClient({
    apiUrl: location.origin,
    workerUrl: "/js/realtime-worker.js",
    messageHistoryLimit: HISTORY,
    // The snapshot and the history tell what a page that is loaded again has missed.
    resume: false,
    autoConnect: false,
  });
  readonly #flushSoon = oncePerFrame(() => this.#flush());
  /** The newest event up to which alerts are dismissed. */
  readonly #dismissed = signal(0);
  readonly #followers = new Set<Follower>();
  readonly #watchers = new Set<Follower>();
  /** What is shown, as it was folded. */
  #folded: FleetState | null = null;
  /** What is shown in the place of the present. */
  #past: FleetState | null = null;
  #pending: (LogEvent | Gap)[] = [];

  start(): void {
    this.#client
      .on("*", (_, event) => this.#take(event))
      .on("gap", (data) => this.#gap(parseGap(data)))
      .on("snapshot", () => this.#snapshot())
      .on("history", (events) => this.#history(events))
      .on("clients", ({ count }) => {
        this.clientCount.value = count;
      })
      .on("stateChange", (connection) => this.#status(connection));
    this.#client.connect().catch(() => {});
    setInterval(() => {
      this.time.value = serverNow();
    }, 1000);
    addEventListener("online", () => {
      this.networkUp.value = true;
    });
    addEventListener("offline", () => {
      this.networkUp.value = false;
    });
  }

  /** Say that the alerts up to an event were seen: all of them where none is named. */
  dismissAlerts(upTo = this.fleet.peek()?.id ?? 0): void {
    this.#dismissed.value = Math.max(this.#dismissed.peek(), upTo);
    const epoch = parseCursor(this.#client.getState().cursor)?.epoch;
    if (epoch !== undefined) {
      store(SEEN, `${epoch}:${this.#dismissed.peek()}`);
    }
  }

  /** Have a function called with the live events, at most once a frame; returns what ends that. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** The same for the events that are shown: those of the past, while that is played. */
  watch(watcher: Follower): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Show a moment of the past: its state, and the events that led to it, oldest first. */
  showPast(at: number, past: FleetState, events: readonly LogEvent[]): void {
    const log = this.#newLog();
    log.setFilter(this.log.peek().filter.peek());
    log.add(events);
    batch(() => {
      this.#past = past;
      this.#show();
      this.pastAt.value = at;
      this.log.value = log;
      this.cuts.value += 1;
    });
  }

  /** Let time go by in the past: what happened, and the state that it made. */
  playPast(at: number, past: FleetState, events: readonly LogEvent[]): void {
    batch(() => {
      this.#past = past;
      this.#show();
      this.pastAt.value = at;
      if (events.length > 0) {
        this.log.peek().add(events);
      }
    });
    this.#tell(events);
  }

  showPresent(): void {
    this.#present.setFilter(this.log.peek().filter.peek());
    batch(() => {
      this.#past = null;
      this.#show();
      this.pastAt.value = null;
      this.log.value = this.#present;
      this.cuts.value += 1;
    });
  }

  /** What somebody is called next to the badge of a host: the name alone, where that is their own. */
  nameBeside(id: string, host: string | null): string {
    const agent = this.#agents.peek().find((one) => one.id === id);
    return agent && host !== null && hostOf(agent) === host ? agent.name : this.nameOf(id);
  }

  /** Where a record lives; null where there is but one place. */
  hostOf(record: Data): string | null {
    return this.hosts.value.length > 0 ? hostOf(record) : null;
  }

  /** Where an event happened; null where there is but one place. */
  hostOfEvent(event: LogEvent): string | null {
    return this.hosts.peek().length > 0 ? hostOfEvent(event, this.#agents.peek()) : null;
  }

  /** Show the moment that is to be shown; whoever waits for an answer waits there, too. */
  #show(): void {
    const folded = this.#past ?? this.#client.state;
    if (folded !== this.#folded) {
      this.#folded = folded;
      this.fleet.value = folded && withAskers(folded);
    }
  }

  #tell(events: readonly LogEvent[]): void {
    for (const watch of this.#watchers) {
      watch(events);
    }
  }

  #newLog(): EventLog {
    return new EventLog((event) => {
      const line = describeEvent(event, this.nameOf);
      const host = this.hostOfEvent(event);
      return host === null ? line : { ...line, text: `${line.text} ${host}` };
    });
  }

  #status(connection: Connection): void {
    const wasStale = this.connection.peek().stale;
    this.time.value = serverNow();
    if (!connection.stale) {
      this.frozenAt.value = null;
      void this.#readSystemStatus();
    } else if (!wasStale) {
      this.#flush();
      this.frozenAt.value = serverNow();
    }
    // All times on the page are by the server's clock; the client knows this computer's.
    const { retryAt } = connection;
    this.connection.value =
      retryAt === null ? connection : { ...connection, retryAt: retryAt - Date.now() + serverNow() };
  }

  #take(item: LogEvent | Gap): void {
    this.#pending.push(item);
    this.#flushSoon();
  }

  #gap(gap: Gap | null): void {
    if (gap) {
      if (gap.reason !== "trimmed") {
        // The ids begin again.
        this.#dismissed.value = 0;
      }
      this.#take(gap);
    }
  }

  #snapshot(): void {
    this.#flush();
    // Ids mean something within their epoch only.
    const seen = parseCursor(readStored(SEEN));
    if (seen && seen.epoch === parseCursor(this.#client.getState().cursor)?.epoch) {
      this.#dismissed.value = Math.max(this.#dismissed.peek(), seen.id);
    }
    this.#show();
  }

  #history(events: readonly LogEvent[]): void {
    this.#flush();
    this.#present.addOlder(events);
    this.#happened(events[0]);
  }

  #flush(): void {
    const items = this.#pending;
    if (items.length === 0) {
      return;
    }
    this.#pending = [];
    const events = items.filter((item): item is LogEvent => !("reason" in item));
    this.#show();
    this.#present.add(items);
    this.#happened(events.at(-1));
    for (const follow of this.#followers) {
      follow(events);
    }
    if (this.#past === null) {
      this.#tell(events);
    }
  }

  #happened(event: LogEvent | undefined): void {
    const time = event ? Date.parse(event.time) : Number.NaN;
    if (time > (this.lastEventAt.peek() ?? 0)) {
      this.lastEventAt.value = time;
      this.time.value = serverNow();
    }
  }

  /** Learn what the log does not tell: whether the fleet is simulated, and where it lives. */
  async #readSystemStatus(): Promise<void> {
    try {
      const asked = Date.now();
      const response = await fetchSigned("/api/system/status");
      setServerTime(response.headers.get("date"), asked, Date.now());
      const status: unknown = response.ok ? await response.json() : null;
      if (isData(status)) {
        const server: Data = isData(status.server) ? status.server : {};
        this.simulation.value = status.simulation === true;
        this.workspace.value = typeof server.workspace === "string" ? server.workspace : null;
      }
    } catch {
      // The connection tells what there is to tell about a server that cannot be reached.
    }
  }
}
