/** What the page knows: the connection's news as signals, folded and rendered once per frame. */

import { computed, signal } from "@preact/signals";
import { Connection, type ConnectionListener, type ConnectionStatus } from "../client/connection";
import { type Data, type Gap, isData, type LogEvent, type Problem, type Snapshot } from "../client/protocol";
import { type FleetState, foldEvents, stateFromSnapshot } from "../client/state";
import { EventLog } from "./event-log";
import { describeEvent, type NameOf } from "./event-words";
import { oncePerFrame } from "./frame";

const HISTORY = 100;

export class LiveFleet implements ConnectionListener {
  readonly connection = signal<ConnectionStatus>({ state: "connecting", reason: null, retryAt: null });
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
  readonly now = signal(Date.now());
  readonly nameOf: NameOf = (id) => this.fleet.peek()?.agents.find((agent) => agent.id === id)?.name ?? id;
  readonly log = new EventLog((event) => describeEvent(event, this.nameOf));
  /** How many clients the server has; null until it says so. */
  readonly clientCount = signal<number | null>(null);
  /** The last thing that the server would not do for this page. */
  readonly problem = signal<Problem | null>(null);
  /** Alerts that nobody at this page has dismissed, newest first; notes stand in the list of events only. */
  readonly alerts = computed(() =>
    (this.fleet.value?.system.alerts ?? []).filter(
      ({ id, level }) => level !== "info" && id > this.#dismissed.value,
    ),
  );
  /** What stands where nothing is known yet. */
  readonly waitingWord = computed(() => (this.connection.value.reason === null ? "Loading …" : "Not known."));

  readonly #connection = new Connection(socketUrl(), this);
  readonly #flushSoon = oncePerFrame(() => this.#flush());
  /** The newest event up to which alerts are dismissed. */
  readonly #dismissed = signal(0);
  #pending: (LogEvent | Gap)[] = [];
  #historyKnown = false;

  start(): void {
    this.#connection.open();
    setInterval(() => {
      this.now.value = Date.now();
    }, 1000);
    addEventListener("online", () => {
      this.networkUp.value = true;
      this.#connection.wake();
    });
    addEventListener("offline", () => {
      this.networkUp.value = false;
    });
    // Whoever looks again wants to know now, not at the end of a delay that began while nobody looked.
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") {
        this.#connection.wake();
      }
    });
  }

  dismissAlerts(): void {
    this.#dismissed.value = this.fleet.peek()?.id ?? 0;
    this.problem.value = null;
  }

  status(status: ConnectionStatus): void {
    const wasLive = this.connection.peek().state === "connected";
    this.now.value = Date.now();
    if (status.state === "connected") {
      this.frozenAt.value = null;
      void this.#readSystemStatus();
      if (!this.#historyKnown) {
        this.#connection.requestHistory(HISTORY);
      }
    } else if (wasLive) {
      this.#flush();
      this.frozenAt.value = Date.now();
    }
    this.connection.value = status;
  }

  event(event: LogEvent): void {
    this.#pending.push(event);
    this.#flushSoon();
  }

  gap(gap: Gap): void {
    if (gap.reason !== "trimmed") {
      // The ids begin anew.
      this.#dismissed.value = 0;
    }
    this.#pending.push(gap);
    this.#flushSoon();
  }

  snapshot(snapshot: Snapshot): void {
    this.#flush();
    this.fleet.value = stateFromSnapshot(snapshot);
  }

  clients(count: number): void {
    this.clientCount.value = count;
  }

  refused(problem: Problem): void {
    this.problem.value = problem;
  }

  history(events: readonly LogEvent[]): void {
    this.#historyKnown = true;
    this.#flush();
    this.log.addOlder(events);
    this.#happened(events[0]);
  }

  #flush(): void {
    const items = this.#pending;
    if (items.length === 0) {
      return;
    }
    this.#pending = [];
    const events = items.filter((item): item is LogEvent => !("reason" in item));
    const fleet = this.fleet.peek();
    if (fleet) {
      this.fleet.value = foldEvents(fleet, events);
    }
    this.log.add(items);
    this.#happened(events.at(-1));
  }

  #happened(event: LogEvent | undefined): void {
    const time = event ? Date.parse(event.time) : Number.NaN;
    if (time > (this.lastEventAt.peek() ?? 0)) {
      this.lastEventAt.value = time;
      this.now.value = Date.now();
    }
  }

  /** Learn what the log does not tell: whether the fleet is simulated, and where it lives. */
  async #readSystemStatus(): Promise<void> {
    try {
      const response = await fetch("/api/system/status");
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

function socketUrl(): string {
  const url = new URL("/api/ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
