/** Where a page leaves its cursor for the one that comes after it in the same tab: nothing else is ever stored. */

import { type Cursor, formatCursor, parseCursor } from "../client/protocol";

const SAVE_MS = 1_000;

export class CursorStore {
  readonly #key: string;
  #cursor: Cursor | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `name` tells one server from another. */
  constructor(name: string) {
    this.#key = `mission-control:cursor:${name}`;
  }

  load(): Cursor | null {
    try {
      return parseCursor(storage()?.getItem(this.#key));
    } catch {
      return null;
    }
  }

  /** Note a cursor; it is stored in a moment, or by `save`. */
  set(cursor: Cursor): void {
    this.#cursor = cursor;
    this.#timer ??= setTimeout(() => this.save(), SAVE_MS);
  }

  save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      if (this.#cursor) {
        storage()?.setItem(this.#key, formatCursor(this.#cursor));
      }
    } catch {
      // A full or forbidden storage costs the way back after a reload, and nothing else.
    }
  }
}

function storage():
  | { getItem(key: string): string | null; setItem(key: string, value: string): void }
  | undefined {
  return (globalThis as { sessionStorage?: Storage }).sessionStorage;
}

type Storage = NonNullable<ReturnType<typeof storage>>;
