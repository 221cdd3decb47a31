/**
 * A live connection to the log over the WebSocket, without DOM.
 *
 *     connecting ──▶ connected ◀──▶ reconnecting
 *                        any ──(close, or refused for good)──▶ disconnected
 *
 * What holds at any time:
 *
 * - the listener gets every event exactly once and in order; what it cannot get, it is told of by a gap;
 * - `cursor` is the last event that the listener got (or where the server said to begin), and only a gap
 *   moves it any other way; every attempt to come back starts from it;
 * - a snapshot may stand further on than the cursor: events between both still come, and whoever folds them
 *   passes over those that the snapshot has in it;
 * - `connected` means that the server has greeted and was heard within the last two heartbeats.
 */

import { Backoff } from "./backoff";
import {
  CLOSE_POLICY,
  type ClientMessage,
  type Cursor,
  type Data,
  formatCursor,
  type Gap,
  isData,
  isLogEvent,
  type LogEvent,
  type Problem,
  parseCursor,
  type Snapshot,
} from "./protocol";

export type ConnectionState = "connecting" | "connected" | "reconnecting" | "disconnected";

export interface ConnectionStatus {
  readonly state: ConnectionState;
  /** Why there is no connection, as a sentence for people; null while all is well, or after `close`. */
  readonly reason: string | null;
  /** When the next attempt begins, in milliseconds since 1970; null while one is under way, or none will be. */
  readonly retryAt: number | null;
}

/** Who is told what. */
export interface ConnectionListener {
  status(status: ConnectionStatus): void;
  event(event: LogEvent): void;
  snapshot(snapshot: Snapshot): void;
  gap(gap: Gap): void;
  /** The answer to `requestHistory`: older events, newest first. */
  history(events: readonly LogEvent[]): void;
  /** How many clients the server has, this one among them. */
  clients(count: number): void;
  /** The server could not do what it was asked for; the connection goes on. */
  refused(problem: Problem): void;
}

/** As much of a WebSocket as is needed. */
export type Socket = Pick<WebSocket, "send" | "close" | "onmessage" | "onclose">;

export interface ConnectionOptions {
  readonly openSocket?: (url: string) => Socket;
  readonly random?: () => number;
}

const GREETING_MS = 10_000;
const PROBE_MS = 5_000;
const DEFAULT_HEARTBEAT_S = 30;
const SILENT_BEATS = 2;

export class Connection {
  readonly #url: string;
  readonly #listener: ConnectionListener;
  readonly #openSocket: (url: string) => Socket;
  readonly #backoff: Backoff;

  #status: ConnectionStatus = { state: "disconnected", reason: null, retryAt: null };
  #socket: Socket | null = null;
  #cursor: Cursor | null = null;
  /** The epoch of the log that this connection reads. */
  #epoch = "";
  #snapshotDue = true;
  #snapshotRequested = false;
  /** How long the server asked to be left alone, in milliseconds. */
  #drainDelay: number | null = null;
  /** How long the server may be silent, in milliseconds. */
  #longestSilence = 0;
  /** When it was heard last, on the clock of `performance.now`. */
  #heardAt = 0;
  #retryTimer: Timer;
  #beatTimer: Timer;
  #silenceTimer: Timer;
  #answerTimer: Timer;

  /** `url` is that of `/api/ws`, without a query. */
  constructor(url: string, listener: ConnectionListener, options: ConnectionOptions = {}) {
    this.#url = url;
    this.#listener = listener;
    this.#openSocket = options.openSocket ?? ((address) => new WebSocket(address));
    this.#backoff = new Backoff(options.random);
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  /** Where the listener stands, as EPOCH:ID; null before the first connection. */
  get cursor(): string | null {
    return this.#cursor && formatCursor(this.#cursor);
  }

  open(): void {
    if (this.#status.state === "disconnected") {
      this.#setStatus("connecting");
      this.#attempt();
    }
  }

  close(): void {
    this.#disconnect(null);
  }

  /** The network or the machine has come back: try now, or make sure that the connection still lives. */
  wake(): void {
    if (this.#status.state === "connected") {
      this.#send({ type: "ping" });
      this.#expectAnswer(PROBE_MS);
    } else if (this.#status.retryAt !== null) {
      this.#retry();
    }
  }

  /** Ask for the newest events; they may overlap with those that come live. */
  requestHistory(limit: number): void {
    this.#send({ type: "getHistory", limit });
  }

  #attempt(): void {
    const query = new URLSearchParams({ snapshot: "1" });
    if (this.#cursor) {
      query.set("since", formatCursor(this.#cursor));
    }
    const socket = this.#openSocket(`${this.#url}?${query}`);
    socket.onmessage = (message) => this.#receive(message.data);
    socket.onclose = (close) => this.#closed(close.code, close.reason);
    this.#socket = socket;
    this.#snapshotRequested = false;
    this.#drainDelay = null;
    this.#expectAnswer(GREETING_MS);
  }

  #receive(text: unknown): void {
    this.#heardAt = performance.now();
    const message = parseMessage(text);
    if (message === null) {
      this.#lose("The server sent something that is not a message.");
      return;
    }
    if (isLogEvent(message)) {
      this.#receiveEvent(message);
    } else if (isData(message.data)) {
      this.#receiveControl(message.type, message.data);
    } else if (message.type === "history" && Array.isArray(message.data)) {
      this.#listener.history(message.data.filter((item) => isData(item) && isLogEvent(item)));
    }
    if (this.#status.state === "connected") {
      clearTimeout(this.#answerTimer);
    }
  }

  #receiveEvent(event: LogEvent): void {
    if (this.#cursor === null) {
      return;
    }
    if (this.#cursor.epoch !== this.#epoch) {
      // The server should have said so itself; silence is not an option.
      const cursor = { epoch: this.#epoch, id: event.id - 1 };
      this.#receiveGap({ from: this.#cursor.id + 1, to: event.id - 1, reason: "epoch", cursor });
    }
    if (event.id <= this.#cursor.id) {
      return;
    }
    if (event.id > this.#cursor.id + 1) {
      this.#lose("Events were lost on the way; they are read again.");
      return;
    }
    this.#requestSnapshotIfDue();
    this.#cursor = { epoch: this.#epoch, id: event.id };
    this.#listener.event(event);
  }

  #receiveControl(type: unknown, data: Data): void {
    const cursor = parseCursor(data.cursor);
    switch (type) {
      case "connected":
        this.#greeted(data, cursor);
        break;
      case "subscribed":
        if (data.recovered === true) {
          this.#requestSnapshotIfDue();
        }
        break;
      case "snapshot":
        if (cursor && isData(data.state)) {
          this.#snapshotDue = false;
          this.#listener.snapshot({ state: data.state, cursor });
        }
        break;
      case "gap":
        if (cursor) {
          const [from, to] = [Number(data.from), Number(data.to)];
          this.#receiveGap({ from, to, reason: String(data.reason), cursor });
        }
        break;
      case "ping":
        this.#send({ type: "pong" });
        if (cursor && this.#cursor && cursor.epoch === this.#cursor.epoch && cursor.id > this.#cursor.id) {
          this.#lose("Events were lost on the way; they are read again.");
        } else {
          this.#requestSnapshotIfDue();
        }
        break;
      case "server:draining":
        this.#drainDelay = 1000 * Math.max(0, Number(data.reconnectAfter) || 0);
        break;
      case "client:connected":
      case "client:disconnected":
        if (typeof data.clientCount === "number") {
          this.#listener.clients(data.clientCount);
        }
        break;
      case "error":
        this.#listener.refused({ code: String(data.code), message: String(data.message) });
        break;
    }
  }

  #greeted(data: Data, cursor: Cursor | null): void {
    this.#epoch = typeof data.epoch === "string" ? data.epoch : (cursor?.epoch ?? "");
    this.#cursor ??= cursor;
    this.#backoff.reset();
    const heartbeat = 1000 * (Number(data.heartbeat) || DEFAULT_HEARTBEAT_S);
    this.#longestSilence = SILENT_BEATS * heartbeat;
    this.#beatTimer = setInterval(() => this.#send({ type: "ping" }), heartbeat);
    this.#watchSilence();
    this.#setStatus("connected");
  }

  #receiveGap(gap: Gap): void {
    this.#cursor = gap.cursor;
    this.#epoch = gap.cursor.epoch;
    this.#snapshotDue = true;
    this.#listener.gap(gap);
  }

  /**
   * The server sends a snapshot of its own accord to whoever begins or has a gap as it connects. It does not
   * where a gap opens later, or where a connection broke before its snapshot came.
   */
  #requestSnapshotIfDue(): void {
    if (this.#snapshotDue && !this.#snapshotRequested) {
      this.#snapshotRequested = true;
      this.#send({ type: "subscribe", events: ["*"], snapshot: true });
    }
  }

  /** One timer, however many messages come: as it ends it sees when the last one came, and waits for the rest. */
  #watchSilence(): void {
    const left = this.#heardAt + this.#longestSilence - performance.now();
    if (left > 0) {
      this.#silenceTimer = setTimeout(() => this.#watchSilence(), left);
    } else {
      this.#lose("The server has fallen silent.");
    }
  }

  #expectAnswer(milliseconds: number): void {
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#lose("The server does not answer."), milliseconds);
  }

  #send(message: ClientMessage): void {
    if (this.#status.state === "connected") {
      this.#socket?.send(JSON.stringify(message));
    }
  }

  #closed(code: number, reason: string): void {
    if (code === CLOSE_POLICY) {
      this.#disconnect(reason || "The server does not accept this page.");
    } else if (this.#drainDelay !== null) {
      this.#lose("The server is restarting.");
    } else {
      this.#lose(reason ? `The server closed the connection: ${reason}.` : "The server cannot be reached.");
    }
  }

  #lose(reason: string): void {
    // Where the server named a delay it has spread its clients already.
    const delay = this.#drainDelay ?? this.#backoff.next();
    this.#leaveSocket();
    this.#retryTimer = setTimeout(() => this.#retry(), delay);
    this.#setStatus("reconnecting", reason, Date.now() + delay);
  }

  #retry(): void {
    clearTimeout(this.#retryTimer);
    this.#setStatus("reconnecting", this.#status.reason);
    this.#attempt();
  }

  #disconnect(reason: string | null): void {
    this.#leaveSocket();
    clearTimeout(this.#retryTimer);
    this.#setStatus("disconnected", reason);
  }

  /** Nothing more is heard of this socket, whatever it still does. */
  #leaveSocket(): void {
    clearInterval(this.#beatTimer);
    clearTimeout(this.#silenceTimer);
    clearTimeout(this.#answerTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
  }

  #setStatus(state: ConnectionState, reason: string | null = null, retryAt: number | null = null): void {
    this.#status = { state, reason, retryAt };
    this.#listener.status(this.#status);
  }
}

type Timer = ReturnType<typeof setTimeout> | undefined;

function parseMessage(text: unknown): Data | null {
  try {
    const message: unknown = typeof text === "string" ? JSON.parse(text) : null;
    return isData(message) ? message : null;
  } catch {
    return null;
  }
}
