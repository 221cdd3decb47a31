/** What one may choose about the client, with the defaults. */

import { TRANSPORTS, type TransportName } from "../client/transport";

export const MC_CONNECTION_STATE = {
  CONNECTING: "connecting",
  CONNECTED: "connected",
  DISCONNECTED: "disconnected",
  RECONNECTING: "reconnecting",
  ERROR: "error",
  POLLING: "polling",
} as const;

export type ConnectionState = (typeof MC_CONNECTION_STATE)[keyof typeof MC_CONNECTION_STATE];

/** What one may choose; times in milliseconds. */
export interface RealtimeOptions {
  /** Where the server is; found by itself where neither is given. */
  readonly wsUrl?: string | null;
  readonly apiUrl?: string | null;
  /** The ceiling of the first delay before another attempt; each delay is random below its ceiling. */
  readonly reconnectInterval?: number;
  readonly maxReconnectInterval?: number;
  /** By what the ceiling grows from one attempt to the next. */
  readonly reconnectDecay?: number;
  /** After so many attempts in vain it polls, and goes on trying meanwhile. */
  readonly maxReconnectAttempts?: number;
  readonly heartbeatInterval?: number;
  readonly enablePolling?: boolean;
  readonly pollingInterval?: number;
  /** How many events `getHistory` has; 0 for none. */
  readonly messageHistoryLimit?: number;
  readonly debug?: boolean;
  /** The transports that may be used, from the one that is preferred down. */
  readonly transports?: readonly TransportName[];
  /** Whether pages of the same origin share one connection. */
  readonly share?: boolean;
  /** The script of the worker that has the shared connection; null for none. */
  readonly workerUrl?: string | null;
  /** Whether `state` is wanted. */
  readonly state?: boolean;
  /** Whether a page that is loaded again goes on where it was. */
  readonly resume?: boolean;
  /** For pages of other origins; a page of the server's own has a browser session. */
  readonly token?: string;
  /** Whether it connects by itself, without a call of `connect`. */
  readonly autoConnect?: boolean;
}

export const DEFAULTS = {
  wsUrl: null,
  apiUrl: null,
  reconnectInterval: 1_000,
  maxReconnectInterval: 30_000,
  reconnectDecay: 1.5,
  maxReconnectAttempts: 10,
  heartbeatInterval: 30_000,
  enablePolling: true,
  pollingInterval: 30_000,
  messageHistoryLimit: 100,
  debug: false,
  transports: TRANSPORTS,
  share: true,
  state: true,
  resume: true,
  autoConnect: true,
} as const;
