/** The server's side of a conversation, as a test tells it. */

import {
  Connection,
  type ConnectionListener,
  type ConnectionStatus,
  type Socket,
} from "../../src/client/connection";
import type { LogEvent } from "../../src/client/protocol";

/** A socket whose other end is the test. */
export class FakeSocket implements Socket {
  readonly url: URL;
  readonly sent: Record<string, unknown>[] = [];
  closed = false;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;

  constructor(url: string) {
    this.url = new URL(url);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
  }

  /** The server says this. */
  say(type: string, data: unknown = {}): void {
    this.sayText(JSON.stringify({ type, data }));
  }

  sayText(text: string): void {
    this.onmessage?.call(this as unknown as WebSocket, { data: text } as MessageEvent);
  }

  greet(cursor = "e1:10", heartbeat = 30): void {
    this.say("connected", { clientId: "ws_1", epoch: cursor.split(":")[0], cursor, heartbeat });
  }

  sayEvents(...ids: number[]): void {
    for (const id of ids) {
      this.sayText(JSON.stringify(event(id)));
    }
  }

  /** The connection ends from outside. */
  drop(code = 1006, reason = ""): void {
    this.onclose?.call(this as unknown as WebSocket, { code, reason } as CloseEvent);
  }

  typesSent(): unknown[] {
    return this.sent.map((message) => message.type);
  }
}

export function event(id: number): LogEvent {
  return { type: "custom:event", id, time: "2026-11-23T10:15:00.000Z", source: "test", data: { id } };
}

/** A connection with its sockets, and everything that its listener was told. */
export class Conversation implements ConnectionListener {
  readonly sockets: FakeSocket[] = [];
  readonly told: string[] = [];
  readonly statuses: ConnectionStatus[] = [];
  readonly connection: Connection;

  constructor(random = () => 0) {
    this.connection = new Connection("ws://127.0.0.1:3001/api/ws", this, {
      random,
      openSocket: (url) => {
        const socket = new FakeSocket(url);
        this.sockets.push(socket);
        return socket;
      },
    });
    this.connection.open();
  }

  /** The newest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) {
      throw new Error("no socket was opened");
    }
    return socket;
  }

  get state(): string {
    return this.connection.status.state;
  }

  status(status: ConnectionStatus): void {
    this.statuses.push(status);
  }

  event({ id }: LogEvent): void {
    this.told.push(`event ${id}`);
  }

  snapshot({ cursor }: { cursor: { id: number } }): void {
    this.told.push(`snapshot ${cursor.id}`);
  }

  gap({ from, to, reason }: { from: number; to: number; reason: string }): void {
    this.told.push(`gap ${from}-${to} ${reason}`);
  }

  history(events: readonly LogEvent[]): void {
    this.told.push(`history ${events.map(({ id }) => id).join(",")}`);
  }

  clients(count: number): void {
    this.told.push(`clients ${count}`);
  }

  refused({ code, message }: { code: string; message: string }): void {
    this.told.push(`refused ${code}: ${message}`);
  }
}
