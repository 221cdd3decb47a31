/** Transports whose other end is the test, and a link that is told of everything. */

import { Link, type LinkOptions, type LinkStatus } from "../../src/client/link";
import type { Cursor, LogEvent } from "../../src/client/protocol";
import {
  type Failure,
  TRANSPORTS,
  type Transport,
  type TransportListener,
  type TransportName,
  type TransportRequest,
} from "../../src/client/transport";

export class FakeTransport implements Transport {
  readonly name: TransportName;
  readonly request: TransportRequest;
  closed = false;
  probes = 0;
  readonly #listener: TransportListener;

  constructor(name: TransportName, request: TransportRequest, listener: TransportListener) {
    this.name = name;
    this.request = request;
    this.#listener = listener;
  }

  get since(): string | null {
    const { since } = this.request;
    return since && `${since.epoch}:${since.id}`;
  }

  probe(): boolean {
    this.probes += 1;
    return this.name === "websocket";
  }

  close(): void {
    this.closed = true;
  }

  greet(id = 10, heartbeat = 30_000): void {
    this.#listener.greeted({ cursor: { epoch: "e1", id }, heartbeat, clientId: `${this.name}_1` });
  }

  say(...ids: number[]): void {
    for (const id of ids) {
      this.#listener.heard();
      this.#listener.event("e1", event(id));
    }
  }

  beat(id: number, epoch = "e1"): void {
    this.#listener.heard();
    this.#listener.position({ epoch, id });
  }

  sayGap(id: number, epoch = "e1"): void {
    this.#listener.gap({ from: 1, to: id, reason: "trimmed", cursor: { epoch, id } });
  }

  fail(failure: Partial<Failure> = {}): void {
    this.#listener.failed({ reason: "It broke.", ...failure });
  }
}

export function event(id: number, type = "custom:event"): LogEvent {
  return { type, id, time: "2026-11-23T10:15:00.000Z", source: "test", data: { id } };
}

export const ENDPOINT = { wsUrl: "ws://127.0.0.1:3001/api/ws", apiUrl: "http://127.0.0.1:3001" };

export const OPTIONS: LinkOptions = {
  endpoints: [ENDPOINT],
  transports: TRANSPORTS,
  reconnectInterval: 1_000,
  reconnectDecay: 2,
  maxReconnectInterval: 30_000,
  maxReconnectAttempts: 3,
  heartbeatInterval: 30_000,
  enablePolling: true,
  pollingInterval: 30_000,
};

/** A link with its transports, and everything that its listener was told. */
export class Conversation {
  readonly opened: FakeTransport[] = [];
  readonly told: string[] = [];
  readonly statuses: LinkStatus[] = [];
  readonly link: Link;
  random = 1;

  constructor(options: Partial<LinkOptions> = {}) {
    const open = (name: TransportName) => (request: TransportRequest, listener: TransportListener) => {
      const transport = new FakeTransport(name, request, listener);
      this.opened.push(transport);
      return transport;
    };
    this.link = new Link(
      { ...OPTIONS, ...options },
      {
        status: (status) => this.statuses.push(status),
        event: (epoch, { id }) => this.told.push(`event ${epoch}:${id}`),
        position: (cursor: Cursor) => this.told.push(`at ${cursor.epoch}:${cursor.id}`),
        gap: () => this.told.push("gap"),
        clients: (count) => this.told.push(`clients ${count}`),
        counted: () => {},
      },
      {
        open: {
          websocket: open("websocket"),
          sse: open("sse"),
          "long-poll": open("long-poll"),
          polling: open("polling"),
        },
        random: () => this.random,
      },
    );
    this.link.open();
  }

  /** The newest transport. */
  get last(): FakeTransport {
    const transport = this.opened.at(-1);
    if (!transport) {
      throw new Error("nothing was opened");
    }
    return transport;
  }

  get state(): string {
    return this.link.status.state;
  }

  get names(): string[] {
    return this.opened.map(({ name }) => name);
  }

  /** Let everything fail that is tried, until nothing is. */
  failAll(): void {
    let tried = 0;
    while (tried !== this.opened.length && !this.last.closed) {
      tried = this.opened.length;
      this.last.fail();
    }
  }
}
