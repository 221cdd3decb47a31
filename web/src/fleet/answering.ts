/** Answers that somebody at this page gives. Each can be taken back for a moment, and only then is it sent. */

import { effect, signal } from "@preact/signals";
import { RequestFailed, request } from "../client/http";
import type { Toasts } from "../page/toasts";
import type { Question } from "../state";
import type { LiveFleet } from "./live";

/** How long an answer can be taken back. */
export const UNDO_MS = 4000;

export interface Given {
  readonly answer: string;
  /** The answer as it is shown. */
  readonly label: string;
  /** The digest of what was shown. */
  readonly digest: string;
  readonly stage: "undoable" | "sending" | "sent";
}

export class Answering {
  readonly #live: LiveFleet;
  readonly #toasts: Toasts;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** What was answered here and is not over yet, by the question's id. */
  readonly given = signal<ReadonlyMap<string, Given>>(new Map());
  /** Why an answer was refused, by the question's id. */
  readonly refusals = signal<ReadonlyMap<string, string>>(new Map());

  constructor(live: LiveFleet, toasts: Toasts) {
    this.#live = live;
    this.#toasts = toasts;
    effect(() => {
      const given = this.given.value;
      if (given.size > 0) {
        this.#forgetOver(given, live.fleet.value?.questions ?? []);
      }
    });
    globalThis.addEventListener?.("beforeunload", (event) => {
      // What can still be taken back has not been sent, and would not be.
      if (this.#timers.size > 0) {
        event.preventDefault();
      }
    });
  }

  /** Give an answer; it is sent when `UNDO_MS` have passed without `undo`. */
  answer({ id, agentId }: Question, given: Omit<Given, "stage">): void {
    if (this.#live.pastAt.peek() !== null || this.given.peek().has(id)) {
      return;
    }
    this.refusals.value = without(this.refusals.peek(), id);
    this.given.value = new Map(this.given.peek()).set(id, { ...given, stage: "undoable" });
    const send = () => {
      this.#timers.delete(id);
      void this.#send(id, agentId, given);
    };
    this.#timers.set(id, setTimeout(send, UNDO_MS));
  }

  /** Take back an answer that has not been sent. */
  undo(id: string): void {
    const timer = this.#timers.get(id);
    if (timer !== undefined) {
      clearTimeout(timer);
      this.#timers.delete(id);
      this.given.value = without(this.given.peek(), id);
    }
  }

  async #send(id: string, agentId: string | null, given: Omit<Given, "stage">): Promise<void> {
    this.given.value = new Map(this.given.peek()).set(id, { ...given, stage: "sending" });
    const { answer, digest } = given;
    try {
      await request(
        `/api/questions/${encodeURIComponent(id)}/answer`,
        { apiUrl: "" },
        {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ answer, digest, answeredBy: "dashboard" }),
        },
      );
      this.#toasts.settle(agentId);
      if (this.given.peek().has(id)) {
        this.given.value = new Map(this.given.peek()).set(id, { ...given, stage: "sent" });
      }
    } catch (error) {
      this.given.value = without(this.given.peek(), id);
      const reason = error instanceof RequestFailed ? error.failure.reason : "Something went wrong here.";
      this.refusals.value = new Map(this.refusals.peek()).set(id, reason);
      this.#toasts.say(`Not answered: ${reason}`, "warning", "/questions");
    }
  }

  /** Forget the answers to questions that are over: by this answer, or by another one that was sooner. */
  #forgetOver(given: ReadonlyMap<string, Given>, questions: readonly Question[]): void {
    const over = new Set(questions.filter(({ status }) => status !== "open").map(({ id }) => id));
    const left = [...given].filter(([id, { stage }]) => !over.has(id) || stage === "sending");
    if (left.length < given.size) {
      for (const [id, { label, stage }] of given) {
        const timer = this.#timers.get(id);
        if (over.has(id) && stage === "undoable") {
          clearTimeout(timer);
          this.#timers.delete(id);
          this.#toasts.say(
            `Not answered: “${label}” was not sent, since the question is over.`,
            "warning",
            "/questions",
          );
        }
      }
      this.given.value = new Map(left);
    }
  }
}

function without<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  return new Map([...map].filter(([one]) => one !== key));
}
