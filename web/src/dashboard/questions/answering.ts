/** Answers that somebody at this page gives. One shows at once; where the server refuses it, it is undone and that is said. */

import { signal } from "@preact/signals";
import { RequestFailed, request } from "../../client/http";
import type { Question } from "../../client/state";
import type { LiveFleet } from "../live";
import type { Toasts } from "../shell/toasts";

export class Answering {
  readonly #live: LiveFleet;
  readonly #toasts: Toasts;
  /** What is on its way, by the question's id. */
  readonly given = signal<ReadonlyMap<string, string>>(new Map());

  constructor(live: LiveFleet, toasts: Toasts) {
    this.#live = live;
    this.#toasts = toasts;
  }

  /** Returns why the answer was refused, or null. */
  async answer({ id, agentId }: Question, answer: string): Promise<string | null> {
    if (this.#live.pastAt.peek() !== null) {
      return "This is the past: nothing can be answered there.";
    }
    this.#put(id, answer);
    try {
      await request(
        `/api/questions/${encodeURIComponent(id)}/answer`,
        { apiUrl: "" },
        {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ answer, answeredBy: "dashboard" }),
        },
      );
      this.#toasts.settle(agentId);
      return null;
    } catch (error) {
      this.#put(id, null);
      const reason = error instanceof RequestFailed ? error.failure.reason : "Something went wrong here.";
      this.#toasts.say(`Not answered: ${reason}`, "warning", "/questions");
      return reason;
    }
  }

  #put(id: string, answer: string | null): void {
    const given = new Map(this.given.peek());
    if (answer === null) {
      given.delete(id);
    } else {
      given.set(id, answer);
    }
    this.given.value = given;
  }
}
