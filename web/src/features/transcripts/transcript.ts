/** What was said in a session, page by page, read with the care that anything from outside is read with. */

import { signal } from "@preact/signals";
import { RequestFailed, readJson } from "../../client/http";
import { type Data, isData } from "../../client/protocol";
import { moment } from "../../words/age";
import { textOf } from "../../words/agent-words";

const PAGE = 60;

const ROLES = ["user", "assistant", "thinking", "call", "result"] as const;

export type Role = (typeof ROLES)[number];

export interface Message {
  readonly id: string;
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly role: Role;
  readonly text: string;
  /** The tool that a call or a result is of. */
  readonly tool: string | null;
  /** How many characters the server has left out. */
  readonly cut: number;
}

export interface TranscriptPage {
  readonly agentId: string | null;
  readonly runtime: string | null;
  readonly messages: readonly Message[];
  readonly older: string | null;
  readonly newer: string | null;
}

export class TranscriptReader {
  /** Null until the server has answered. */
  readonly page = signal<TranscriptPage | null>(null);
  readonly trouble = signal<string | null>(null);
  readonly #session: string;
  #reading = false;
  #again = false;

  constructor(session: string) {
    this.#session = session;
  }

  /** Read the newest page, or the one around a message. */
  begin(around: string | null): Promise<void> {
    return this.#read(around === null ? {} : { around }, (page) => page);
  }

  async readOlder(): Promise<void> {
    const before = this.page.peek()?.older ?? null;
    if (before !== null) {
      await this.#read({ before }, (page, shown) => ({
        ...shown,
        messages: [...page.messages, ...shown.messages],
        older: page.older,
      }));
    }
  }

  /** Read what comes after all that is shown. */
  async readNewer(): Promise<void> {
    const last = this.page.peek()?.messages.at(-1);
    if (last === undefined) {
      await this.begin(null);
      return;
    }
    await this.#read({ after: last.id }, (page, shown) => ({
      ...page,
      messages: [...shown.messages, ...page.messages],
      older: shown.older,
    }));
  }

  /** Something was written: where the newest is shown, what is new is read. */
  async follow(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
    } else if ((this.page.peek()?.newer ?? null) === null) {
      await this.readNewer();
    }
  }

  async #read(
    place: Record<string, string>,
    joined: (page: TranscriptPage, shown: TranscriptPage) => TranscriptPage,
  ): Promise<void> {
    if (this.#reading) {
      return;
    }
    this.#reading = true;
    this.#again = false;
    const query = new URLSearchParams({ limit: String(PAGE), ...place });
    const path = `/api/sessions/${encodeURIComponent(this.#session)}/transcript?${query}`;
    try {
      const page = pageIn(await readJson(path, { apiUrl: "" }));
      this.page.value = joined(page, this.page.peek() ?? page);
      this.trouble.value = null;
    } catch (error) {
      this.trouble.value =
        error instanceof RequestFailed ? error.failure.reason : "Something went wrong here.";
    }
    this.#reading = false;
    if (this.#again) {
      await this.follow();
    }
  }
}

export function pageIn(told: unknown): TranscriptPage {
  const page: Data = isData(told) ? told : {};
  return {
    agentId: textOf(page.agentId),
    runtime: textOf(page.runtime),
    messages: Array.isArray(page.messages) ? page.messages.flatMap((one) => messageIn(one) ?? []) : [],
    older: textOf(page.older),
    newer: textOf(page.newer),
  };
}

function messageIn(told: unknown): Message | null {
  const id = isData(told) ? textOf(told.id) : null;
  const at = isData(told) ? moment(told.time) : null;
  const role = isData(told) ? ROLES.find((one) => one === told.role) : undefined;
  if (!isData(told) || id === null || at === null || role === undefined) {
    return null;
  }
  return {
    id,
    at,
    role,
    text: typeof told.text === "string" ? told.text : "",
    tool: textOf(told.tool),
    cut: typeof told.cut === "number" ? told.cut : 0,
  };
}
