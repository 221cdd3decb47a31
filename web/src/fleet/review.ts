/** What is shown of a question before it is decided, as the server has made it: the same for every client. */

import { type Signal, signal } from "@preact/signals";
import { RequestFailed, readJson } from "../client/http";
import { isData } from "../client/protocol";
import type { Question } from "../state";

export type PartKind = "warning" | "text" | "code" | "path" | "json" | "diff";

export interface Part {
  readonly kind: PartKind;
  readonly text: string;
  readonly label: string | null;
}

export interface Option {
  /** What is sent. */
  readonly text: string;
  /** What is shown. */
  readonly label: string;
  readonly dangerous: boolean;
  /** Whether nothing is approved by it, so that it may be chosen before all has been seen. */
  readonly refuses: boolean;
}

export interface Review {
  readonly digest: string;
  readonly parts: readonly Part[];
  /** In the order in which to offer them. */
  readonly options: readonly Option[];
  /** Whether all of it is shown. */
  readonly complete: boolean;
}

/** A review that is read: both are null until it is there, or could not be had. */
export interface Reading {
  readonly review: Review | null;
  readonly failure: string | null;
}

const KINDS: ReadonlySet<unknown> = new Set<PartKind>(["warning", "text", "code", "path", "json", "diff"]);
const NOT_A_REVIEW = "The server's answer is not a review; it may be of another release. Reload the page.";
const UNREAD: Reading = { review: null, failure: null };
const MOST_KEPT = 200;

/** The `review` of a question; null where it has another shape, so that nothing is left out of it by mistake. */
export function readReview(question: unknown): Review | null {
  const told = isData(question) ? question.review : null;
  if (!isData(told) || typeof told.digest !== "string" || !Array.isArray(told.parts)) {
    return null;
  }
  const parts = told.parts.map(partIn);
  const options = (Array.isArray(told.options) ? told.options : [null]).map(optionIn);
  return parts.some((part) => part === null) || options.some((option) => option === null)
    ? null
    : {
        digest: told.digest,
        parts: parts.filter((part) => part !== null),
        options: options.filter((option) => option !== null),
        complete: told.complete !== false,
      };
}

function partIn(value: unknown): Part | null {
  return isData(value) && KINDS.has(value.kind) && typeof value.text === "string"
    ? {
        kind: value.kind as PartKind,
        text: value.text,
        label: typeof value.label === "string" ? value.label : null,
      }
    : null;
}

function optionIn(value: unknown): Option | null {
  return isData(value) && typeof value.text === "string" && typeof value.label === "string"
    ? {
        text: value.text,
        label: value.label,
        dangerous: value.dangerous === true,
        refuses: value.refuses === true,
      }
    : null;
}

/** Reviews as they are needed, each read once. */
export class Reviews {
  readonly #readings = new Map<string, Signal<Reading>>();

  /** What is known of a question's review; reads it where nothing is. */
  of(question: Question): Signal<Reading> {
    const key = keyOf(question);
    const known = this.#readings.get(key);
    if (known) {
      return known;
    }
    const reading = signal(UNREAD);
    this.#readings.set(key, reading);
    const oldest = this.#readings.keys().next().value;
    if (this.#readings.size > MOST_KEPT && oldest !== undefined) {
      this.#readings.delete(oldest);
    }
    void this.#read(question.id, reading);
    return reading;
  }

  /** Read a review that could not be had. */
  retry(question: Question): void {
    const reading = this.#readings.get(keyOf(question));
    if (reading && reading.peek().failure !== null) {
      reading.value = UNREAD;
      void this.#read(question.id, reading);
    }
  }

  async #read(id: string, reading: Signal<Reading>): Promise<void> {
    try {
      const review = readReview(await readJson(`/api/questions/${encodeURIComponent(id)}`, { apiUrl: "" }));
      reading.value = review ? { review, failure: null } : { review: null, failure: NOT_A_REVIEW };
    } catch (error) {
      const failure = error instanceof RequestFailed ? error.failure.reason : "Something went wrong here.";
      reading.value = { review: null, failure };
    }
  }
}

function keyOf({ id, askedAt }: Question): string {
  return `${id} ${askedAt}`;
}

/** How many lines of a diff come, and how many go. */
export function changedLines(diff: string): { readonly added: number; readonly removed: number } {
  const lines = diff.split("\n");
  return {
    added: lines.filter((line) => line.startsWith("+")).length,
    removed: lines.filter((line) => line.startsWith("-")).length,
  };
}
