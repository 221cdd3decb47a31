/**
 * A way to the log. A transport reads from one cursor on until it fails, and then is done: whoever opened it decides what
 * to try next, and from where.
 */

import type { Cursor, Gap, LogEvent } from "./protocol";

/** From the one that is preferred to the one that always works. */
export const TRANSPORTS = ["websocket", "sse", "long-poll", "polling"] as const;

export type TransportName = (typeof TRANSPORTS)[number];

/** Where a server is: the address of its WebSocket, and that of its HTTP interface without a slash at its end. */
export interface Endpoint {
  readonly wsUrl: string;
  readonly apiUrl: string;
}

export interface Greeting {
  /** Where events follow from. */
  readonly cursor: Cursor;
  /** Milliseconds after which the server says something even where nothing happens. */
  readonly heartbeat: number;
  readonly clientId: string | null;
}

export interface Failure {
  /** For people, as a sentence. */
  readonly reason: string;
  /** The server will not have this client, however it comes. */
  readonly final?: boolean;
  /** Milliseconds to stay away for, where the server has said so. */
  readonly delay?: number;
}

/** Who is told what; nothing any more after `failed`. */
export interface TransportListener {
  greeted(greeting: Greeting): void;
  event(epoch: string, event: LogEvent): void;
  gap(gap: Gap): void;
  /** Everything up to here has been sent: what has not come was lost on the way. */
  position(cursor: Cursor): void;
  /** The server lives. */
  heard(): void;
  clients(count: number): void;
  sent(): void;
  failed(failure: Failure): void;
}

export interface TransportRequest {
  readonly endpoint: Endpoint;
  readonly since: Cursor | null;
  readonly token: string | undefined;
  readonly key?: string | undefined;
  /** Milliseconds between two requests of plain polling. */
  readonly pollingInterval: number;
  /** Milliseconds after which this side says that it lives. */
  readonly heartbeatInterval: number;
}

export interface Transport {
  /** Ask the server whether it is still there; false where this transport cannot. */
  probe(): boolean;
  close(): void;
}

export type OpenTransport = (request: TransportRequest, listener: TransportListener) => Transport;

export const DEFAULT_HEARTBEAT = 30_000;

export const UNREACHABLE = "The server cannot be reached.";
export const NO_MESSAGE = "The server sent an invalid message.";
