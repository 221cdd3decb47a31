/** What can be told from a value that anybody may have written; the same rules as the server's fold. */

import { type Data, isData, type LogEvent } from "../protocol";

/** An id is a text that is not empty, or a whole number. */
export function idIn(...values: readonly unknown[]): string | null {
  for (const value of values) {
    const id = Number.isSafeInteger(value) ? String(value) : textIn(value);
    if (id !== null) {
      return id;
    }
  }
  return null;
}

export function textIn(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** A number that can be summed. */
export function numberIn(value: unknown): number | null {
  return typeof value === "number" && value > -1e300 && value < 1e300 ? value : null;
}

export function dataIn(value: unknown): Data {
  return isData(value) ? value : {};
}

export function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** When it happened: the data's own `timestamp`, else the time at which the log took it. */
export function timeOf(data: Data, event: LogEvent): string {
  return textIn(data.timestamp) ?? event.time;
}

/** Which host something belongs to, in a fleet of several; no field in one of one. */
export interface Place {
  readonly host?: string;
}

export function placeOf(id: string, event: LogEvent): Place {
  return event.host === undefined ? {} : { host: /@([a-z0-9._-]{1,63})$/.exec(id)?.[1] ?? event.host };
}

/** Whether lists and objects stand in one another more than `depth` levels deep. */
export function deeperThan(value: unknown, depth: number): boolean {
  let level = [value].filter(isNested);
  for (let step = 0; step < depth && level.length > 0; step += 1) {
    level = level.flatMap((outer) => Object.values(outer).filter(isNested));
  }
  return level.length > 0;
}

function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What one part of the state does with an event; it returns the part as it was where nothing changed. */
export type Fold<Part> = (part: Part, data: Data, event: LogEvent) => Part;

export type Folds<Part> = ReadonlyMap<string, Fold<Part>>;
