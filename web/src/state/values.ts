/** What can be read from a value that anyone may have written; the same rules as the server's fold. */

import { type Data, isData, type LogEvent } from "../client/protocol";
import { MAX_ID_BYTES, MAX_NUMBER, MAX_WORD_BYTES } from "./limits";

const LEAST = 1e-9;
const DAY = /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$/;
const DAY_MS = 86_400_000;
export const ANY_DAY = "9999-12-31";
const HOST = /@([a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?)$/;

/** An id is a text that is not empty, or a whole number. */
export function idIn(...values: readonly unknown[]): string | null {
  for (const value of values) {
    // `-0` is 0.
    const id = Number.isSafeInteger(value) ? String(value) : textIn(value);
    if (id !== null && isId(id)) {
      return id;
    }
  }
  return null;
}

export function isId(text: string): boolean {
  return text !== "" && utf8Size(text) <= MAX_ID_BYTES;
}

export function textIn(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** A short text, such as a day or a time. */
export function wordIn(value: unknown): string | null {
  return typeof value === "string" && isWord(value) ? value : null;
}

export function isWord(text: string): boolean {
  return text !== "" && utf8Size(text) <= MAX_WORD_BYTES;
}

/** A day as in `2026-11-23`, and no later one than `last`. */
export function dayIn(value: unknown, last: string): string | null {
  return typeof value === "string" && isDay(value, last) ? value : null;
}

export function isDay(text: string, last: string): boolean {
  return DAY.test(text) && text <= last;
}

/** The day after an event: a later one cannot be that of anything it reports, in any time zone. */
export function lastDay(event: LogEvent): string {
  const next = (Math.floor(Date.parse(event.time) / DAY_MS) + 1) * DAY_MS;
  return next < Date.parse(ANY_DAY) ? new Date(next).toISOString().slice(0, 10) : ANY_DAY;
}

/** A number that can be summed. */
export function numberIn(value: unknown): number | null {
  return typeof value === "number" && value >= -MAX_NUMBER && value <= MAX_NUMBER ? value : null;
}

/** A sum, which is never beyond `MAX_NUMBER`. */
export function added(one: number, other: number): number {
  return Math.min(MAX_NUMBER, Math.max(-MAX_NUMBER, one + other));
}

export function dataIn(value: unknown): Data {
  return isData(value) ? value : {};
}

/** A field of a record whose names anyone may choose: `constructor` is none unless it is there. */
export function own<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

export function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** What is left of a sum from which something was taken: less than a billionth is what rounding leaves, and is 0. */
export function notNegative(value: number): number {
  return value < LEAST ? 0 : value;
}

/** When it happened: the data's own `timestamp`, else the time at which the log accepted it. */
export function timeOf(data: Data, event: LogEvent): string {
  return wordIn(data.timestamp) ?? event.time;
}

/** Which host something belongs to, in a fleet of several; no field in one of one. */
export interface Place {
  readonly host?: string;
}

export function placeOf(id: string, event: LogEvent): Place {
  return event.host === undefined ? {} : { host: HOST.exec(id)?.[1] ?? event.host };
}

/** How many bytes a text has in UTF-8. */
export function utf8Size(text: string): number {
  let size = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) {
      size += isPair(text, at) ? 2 : unit > 0x7ff ? 2 : 1;
      // Both halves of a pair are four bytes together, and two units.
      at += isPair(text, at) ? 1 : 0;
    }
  }
  return size;
}

function isPair(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
}

/** How large a value is: its length as JSON, where each number counts as one byte and nothing is escaped. */
export function sizeOf(value: unknown): number {
  if (typeof value === "string") {
    return utf8Size(value) + 2;
  }
  if (Array.isArray(value)) {
    return value.reduce<number>((size, item) => size + sizeOf(item), 2 + Math.max(0, value.length - 1));
  }
  if (isData(value)) {
    const names = Object.keys(value);
    return names.reduce(
      (size, name) => size + utf8Size(name) + 3 + sizeOf(value[name]),
      2 + Math.max(0, names.length - 1),
    );
  }
  return typeof value === "number" ? 1 : 4;
}

/** The beginning of a text that has at most `size` bytes in UTF-8, in whole characters. */
export function cut(text: string, size: number): string {
  if (utf8Size(text) <= size) {
    return text;
  }
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += utf8Size(character);
    if (used > size) {
      break;
    }
    end += character.length;
  }
  return text.slice(0, end);
}

/** The order of texts by their characters, as the server has it; by code units, emoji would come before `ﬁ`. */
export function inTextOrder(one: string, other: string): number {
  const end = Math.min(one.length, other.length);
  for (let at = 0; at < end; at += 1) {
    const a = one.charCodeAt(at);
    const b = other.charCodeAt(at);
    if (a !== b) {
      return isSurrogate(a) === isSurrogate(b) ? a - b : isSurrogate(a) ? 1 : -1;
    }
  }
  return one.length - other.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xe000;
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
