/** The agents' conversations, a page at a time, as the server lists them. */

import { signal } from "@preact/signals";
import { RequestFailed, request } from "../../client/http";
import { type Data, isData } from "../../client/protocol";
import { textOf } from "../../words/agent-words";

const PAGE = 50;

/** `cost` in US dollars, and `tokens`, are null where they are unknown. */
export interface Conversation {
  readonly id: string;
  readonly agentId: string | null;
  readonly runtime: string | null;
  readonly model: string | null;
  readonly firstLine: string | null;
  /** Whether what was said can be read. */
  readonly transcript: boolean;
  readonly tokens: number | null;
  readonly cost: number | null;
  readonly updated: string | null;
}

interface ConversationPage {
  readonly list: readonly Conversation[];
  readonly total: number;
  /** The address of the page of older ones; null on the last one. */
  readonly next: string | null;
}

export class ConversationReader {
  /** Null until the server has answered. */
  readonly page = signal<ConversationPage | null>(null);
  readonly trouble = signal<string | null>(null);
  #asked = 0;

  /** Read the newest of an agent, or of all where it is empty; as many as are shown already. */
  async read(agent: string): Promise<void> {
    const limit = Math.min(200, Math.max(PAGE, this.page.peek()?.list.length ?? 0));
    const query = new URLSearchParams({ limit: String(limit), ...(agent === "" ? {} : { agent }) });
    await this.#read(`/api/sessions?${query}`, []);
  }

  async readOlder(): Promise<void> {
    const page = this.page.peek();
    if (page?.next) {
      await this.#read(page.next, page.list);
    }
  }

  async #read(path: string, before: readonly Conversation[]): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const response = await request(path, { apiUrl: "" });
      const answer: unknown = await response.json().catch(() => null);
      if (asked === this.#asked) {
        const fresh = conversationsIn(answer);
        const known = new Set(before.map(({ id }) => id));
        this.page.value = {
          // One that was used meanwhile has moved to the front.
          list: [...before, ...fresh.filter(({ id }) => !known.has(id))],
          total: Number(response.headers.get("x-total-count") ?? fresh.length),
          next: nextIn(response.headers.get("link")),
        };
        this.trouble.value = null;
      }
    } catch (error) {
      if (asked === this.#asked) {
        this.trouble.value = error instanceof RequestFailed ? error.failure.reason : String(error);
      }
    }
  }
}

/** The address that a `Link` header (RFC 8288) leads on to; null where it does not. */
export function nextIn(link: string | null): string | null {
  return /<([^>]+)>;\s*rel="next"/.exec(link ?? "")?.[1] ?? null;
}

export function conversationsIn(answer: unknown): readonly Conversation[] {
  return (Array.isArray(answer) ? answer : []).flatMap((one) => (isData(one) ? conversationFrom(one) : []));
}

function conversationFrom(record: Data): Conversation | readonly [] {
  const id = textOf(record.id);
  return id === null
    ? []
    : {
        id,
        agentId: textOf(record.agentId),
        runtime: textOf(record.runtime),
        model: textOf(record.model),
        firstLine: textOf(record.firstLine),
        transcript: record.transcript === true,
        tokens: typeof record.tokens === "number" ? record.tokens : null,
        cost: typeof record.cost === "number" ? record.cost : null,
        updated: textOf(record.updated),
      };
}
