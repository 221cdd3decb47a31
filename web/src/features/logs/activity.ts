/** The activity log: what has happened as sentences, newest first, as the server writes them. */

import { signal } from "@preact/signals";
import { RequestFailed, readJson } from "../../client/http";
import { type Data, isData } from "../../client/protocol";
import { textOf } from "../../words/agent-words";

const PAGE = 200;
/** So many are held at most, so that a page that stays open stays small. */
const MOST = 2000;

export interface LogEntry {
  readonly id: number;
  readonly time: string;
  readonly agent: string | null;
  readonly type: string;
  readonly message: string;
  readonly session: string | null;
}

export interface LogFilter {
  /** Empty for all. */
  readonly agent: string;
  /** A category of events, as in `task`; empty for all. */
  readonly category: string;
  /** Words that all have to occur. */
  readonly text: string;
}

export const CATEGORIES = [
  "agent",
  "task",
  "lead",
  "token",
  "file",
  "question",
  "standup",
  "notification",
  "system",
] as const;

export class ActivityReader {
  /** Newest first; null until the server has answered. */
  readonly entries = signal<readonly LogEntry[] | null>(null);
  /** Where the older ones are; null where there are none. */
  readonly next = signal<string | null>(null);
  readonly trouble = signal<string | null>(null);
  #asked = 0;

  /** Read the newest of a category, or of all where it is empty, and keep the older ones that are held. */
  async read(category: string, fresh: boolean): Promise<void> {
    const held = fresh ? [] : (this.entries.peek() ?? []);
    await this.#read(category, null, (found, next) => {
      const reaches = held.length > 0 && found.some(({ id }) => id <= (held[0]?.id ?? 0));
      const older = reaches ? held.filter(({ id }) => id < (found.at(-1)?.id ?? 0)) : [];
      this.entries.value = [...found, ...older].slice(0, MOST);
      if (older.length === 0) {
        this.next.value = next;
      }
    });
  }

  async readOlder(category: string): Promise<void> {
    await this.#read(category, this.next.peek(), (found, next) => {
      const held = this.entries.peek() ?? [];
      this.entries.value = [...held, ...found.filter(({ id }) => id < (held.at(-1)?.id ?? Infinity))];
      this.next.value = this.entries.value.length < MOST ? next : null;
    });
  }

  async #read(
    category: string,
    before: string | null,
    take: (found: readonly LogEntry[], next: string | null) => void,
  ): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (category !== "") {
      query.set("events", category);
    }
    if (before !== null) {
      query.set("before", before);
    }
    try {
      const answer = await readJson(`/api/logs/activity?${query}`, { apiUrl: "" });
      if (asked === this.#asked) {
        const meta = isData(answer) && isData(answer.meta) ? answer.meta : {};
        take(entriesIn(answer), textOf(meta.next));
        this.trouble.value = null;
      }
    } catch (error) {
      if (asked === this.#asked) {
        this.trouble.value = error instanceof RequestFailed ? error.failure.reason : String(error);
      }
    }
  }
}

export function entriesIn(answer: unknown): readonly LogEntry[] {
  const logs = isData(answer) && Array.isArray(answer.logs) ? answer.logs : [];
  return logs.flatMap((one) => (isData(one) ? entryFrom(one) : []));
}

function entryFrom(record: Data): LogEntry | readonly [] {
  const [time, type, message] = [record.timestamp, record.type, record.message].map(textOf);
  if (typeof record.id !== "number" || time == null || type == null) {
    return [];
  }
  return {
    id: record.id,
    time,
    type,
    message: message ?? type,
    agent: textOf(record.agent),
    session: textOf(record.sessionId),
  };
}

export function matching(entries: readonly LogEntry[], { agent, text }: LogFilter): readonly LogEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter((entry) => {
    const said = `${entry.type} ${entry.agent ?? ""} ${entry.message}`.toLowerCase();
    return (agent === "" || entry.agent === agent) && words.every((word) => said.includes(word));
  });
}
