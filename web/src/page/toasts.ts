/** Short notes about what was just done, or has just happened; they never bury the page. */

import { computed, signal } from "@preact/signals";
import type { Tone } from "../words/tone";

export interface Toast {
  readonly key: number;
  readonly text: string;
  readonly tone: Tone;
  /** Where more about it stands. */
  readonly path: string | null;
  /** The agent it is about: a later note about the same takes its place. */
  readonly about: string | null;
}

const MOST_SHOWN = 3;
const STAYS_MS = 7000;
/** What was not done, or needs somebody, stays longer. */
const WARNING_STAYS_MS = 20_000;

export class Toasts {
  readonly #all = signal<readonly Toast[]>([]);
  /** Newest first. */
  readonly shown = computed(() => this.#all.value.slice(0, MOST_SHOWN));
  readonly more = computed(() => Math.max(0, this.#all.value.length - MOST_SHOWN));
  #keys = 0;

  say(text: string, tone: Tone = "info", path: string | null = null, about: string | null = null): void {
    this.#keys += 1;
    const key = this.#keys;
    this.settle(about);
    this.#all.value = [{ key, text, tone, path, about }, ...this.#all.peek()];
    const urgent = tone === "warning" || tone === "critical";
    setTimeout(() => this.close(key), urgent ? WARNING_STAYS_MS : STAYS_MS);
  }

  close(key: number): void {
    this.#all.value = this.#all.peek().filter((toast) => toast.key !== key);
  }

  /** Take away what was said about something: it is no longer so. */
  settle(about: string | null): void {
    if (about !== null && this.#all.peek().some((toast) => toast.about === about)) {
      this.#all.value = this.#all.peek().filter((toast) => toast.about !== about);
    }
  }

  closeAll(): void {
    this.#all.value = [];
  }
}
