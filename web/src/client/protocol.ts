/** What goes over the wire, as far as this client takes part, and the checks on what comes in. */

export type Data = Readonly<Record<string, unknown>>;

/** An event of the log, as it stands on the wire. */
export interface LogEvent {
  readonly type: string;
  readonly id: number;
  /** RFC 3339. */
  readonly time: string;
  readonly source: string;
  /** Where it was told, in a fleet of several hosts. */
  readonly host?: string;
  /** Who has published it: a token's name, `operator` for a person, else the source; older logs have none. */
  readonly by?: string;
  /** The trace that it belongs to (W3C Trace Context). */
  readonly traceparent?: string;
  readonly data: Data;
}

/** A position in the log: everything up to `id` has been seen, in the life of the log called `epoch`. */
export interface Cursor {
  readonly epoch: string;
  readonly id: number;
}

/** The whole state, and the position it stands at. */
export interface Snapshot {
  readonly state: Data;
  readonly cursor: Cursor;
}

/** The ids `from` to `to` can no longer be had; events go on after `cursor`. */
export interface Gap {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
  readonly cursor: Cursor;
}

/** A page of the log: events after a cursor, oldest first, and the cursor to go on with. */
export interface Page {
  readonly events: readonly LogEvent[];
  readonly cursor: Cursor;
  readonly gap: Gap | null;
  /** Where the server stops: the seconds after which the next page is to be asked for. */
  readonly reconnectAfter?: number;
}

export const CLOSE = {
  /** The server stops or restarts. */
  DRAINING: 1001,
  /** The origin or the token is not accepted: coming back the same way is of no use. */
  POLICY: 1008,
  /** As many clients as are allowed. */
  FULL: 1013,
  /** Nothing was taken for 60 seconds. */
  TOO_SLOW: 4008,
  /** Nothing was heard for two heartbeats. */
  NO_HEARTBEAT: 4009,
} as const;

export function isData(value: unknown): value is Data {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function parseCursor(text: unknown): Cursor | null {
  const found = typeof text === "string" ? /^([A-Za-z0-9]{1,32}):(\d{1,16})$/.exec(text) : null;
  return found?.[1] && found[2] ? { epoch: found[1], id: Number(found[2]) } : null;
}

export function formatCursor(cursor: Cursor): string {
  return `${cursor.epoch}:${cursor.id}`;
}

/** Events of the log are the only messages with an id. */
export function isLogEvent(message: unknown): message is LogEvent {
  return (
    isData(message) &&
    Number.isSafeInteger(message.id) &&
    typeof message.type === "string" &&
    typeof message.time === "string" &&
    isData(message.data)
  );
}

export function parseGap(value: unknown): Gap | null {
  const cursor = isData(value) ? parseCursor(value.cursor) : null;
  return isData(value) && cursor
    ? { from: Number(value.from), to: Number(value.to), reason: String(value.reason), cursor }
    : null;
}

export function parseSnapshot(value: unknown): Snapshot | null {
  const cursor = isData(value) ? parseCursor(value.cursor) : null;
  return isData(value) && cursor && isData(value.state) ? { state: value.state, cursor } : null;
}

export function parsePage(value: unknown): Page | null {
  const cursor = isData(value) ? parseCursor(value.cursor) : null;
  return isData(value) && cursor && Array.isArray(value.events)
    ? {
        events: value.events.filter(isLogEvent),
        cursor,
        gap: parseGap(value.gap),
        ...(typeof value.reconnectAfter === "number" && { reconnectAfter: value.reconnectAfter }),
      }
    : null;
}

export function parseJson(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
