/** What the client reports of itself and of what it has received. */

import type { LogEvent } from "../client/protocol";
import type { TransportName } from "../client/transport";
import type { ConnectionState } from "./options";

export interface RealtimeMetrics {
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly reconnects: number;
  readonly reconnectCount: number;
  /** Milliseconds since 1970. */
  readonly lastConnectedAt: number | null;
  /** Milliseconds. */
  readonly totalUptime: number;
  readonly gaps: number;
}

export interface RealtimeState {
  readonly state: ConnectionState;
  readonly clientId: string | null;
  readonly subscriptions: readonly string[];
  readonly metrics: RealtimeMetrics;
  readonly connected: boolean;
  readonly transport: TransportName | null;
  /** Why there is no live connection, as a sentence for people. */
  readonly reason: string | null;
  /** When the next attempt begins, in milliseconds since 1970. */
  readonly retryAt: number | null;
  /** Whether what is shown may have changed without this client knowing. */
  readonly stale: boolean;
  /** The last event that handlers got, as EPOCH:ID. */
  readonly cursor: string | null;
  /** Whether this page has the connection that others use. */
  readonly leads: boolean;
}

/** An event as `getHistory` has it; `timestamp` and `_timestamp` are its time, ISO 8601. */
export interface HistoryEvent extends LogEvent {
  readonly timestamp: string;
  readonly _timestamp: string;
}

/** What a publication came to. */
export interface Published {
  readonly ids: readonly number[];
  readonly cursor: string;
}
