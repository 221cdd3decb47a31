/** The messages of `/api/ws`, as far as this client takes part, and the checks on what comes in. */

export type Data = Readonly<Record<string, unknown>>;

/** An event of the log, as it stands on the wire. */
export interface LogEvent {
  readonly type: string;
  readonly id: number;
  /** RFC 3339. */
  readonly time: string;
  readonly source: string;
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

/** What the server could not do, and what to change. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

export type ClientMessage =
  | { readonly type: "ping" | "pong" }
  | { readonly type: "subscribe"; readonly events: readonly string[]; readonly snapshot: boolean }
  | { readonly type: "getHistory"; readonly limit: number };

export const CLOSE_POLICY = 1008;

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
export function isLogEvent(message: Data): message is Data & LogEvent {
  return (
    Number.isSafeInteger(message.id) &&
    typeof message.type === "string" &&
    typeof message.time === "string" &&
    isData(message.data)
  );
}
