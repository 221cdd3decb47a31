/** The newest changes of files: what the server has kept, and what happens while the page is open. */

import { signal } from "@preact/signals";
import { isLogEvent, type LogEvent } from "../../client/protocol";
import { fetchSigned } from "../../client/session-key";
import { textOf } from "../../words/agent-words";

const MOST_KEPT = 2000;
const PAGE = 200;

export interface FileChange {
  /** The event that told it. */
  readonly id: number;
  readonly time: string;
  readonly action: string;
  readonly path: string;
  readonly agent: string | null;
  readonly size: number | null;
}

export class FileLog {
  /** Newest first; null until the server has answered. */
  readonly changes = signal<readonly FileChange[] | null>(null);
  readonly trouble = signal<string | null>(null);
  /** Whether the server has older ones. */
  readonly more = signal(false);
  #next: string | null = null;
  #early: readonly FileChange[] = [];

  add(events: readonly LogEvent[]): void {
    const fresh = events.flatMap((event) => changeIn(event) ?? []).reverse();
    const known = this.changes.peek();
    if (known === null) {
      // The first answer is still on its way, and may have been made before these.
      this.#early = joined([...fresh, ...this.#early]);
    } else if (fresh.length > 0) {
      this.changes.value = joined([...fresh, ...known]);
    }
  }

  /** Read a page: the newest, or the one before the oldest that is here. */
  async read(older = false): Promise<void> {
    try {
      const path = "/api/system/events?events=file:change";
      const response = await fetchSigned(older && this.#next !== null ? this.#next : `${path}&limit=${PAGE}`);
      const events: unknown = await response.json();
      if (!response.ok || !Array.isArray(events)) {
        this.trouble.value = `The server answers ${response.status}.`;
        return;
      }
      this.trouble.value = null;
      if (older || this.#next === null) {
        this.#next = nextPage(response.headers.get("link"));
        this.more.value = this.#next !== null;
      }
      const read = events.filter(isLogEvent).flatMap((event) => changeIn(event) ?? []);
      this.changes.value = joined([...(this.changes.peek() ?? this.#early), ...read]);
    } catch {
      this.trouble.value = "The server cannot be reached.";
    }
  }
}

export function changeIn({ type, id, time, data }: LogEvent): FileChange | null {
  const path = textOf(data.path);
  return type === "file:change" && path !== null
    ? {
        id,
        time,
        action: textOf(data.action) ?? "changed",
        path,
        agent: textOf(data.agentId),
        size: typeof data.size === "number" ? data.size : null,
      }
    : null;
}

/** Newest first, each once, the oldest dropped where there are too many. */
export function joined(changes: readonly FileChange[]): readonly FileChange[] {
  const byId = new Map(changes.map((change) => [change.id, change]));
  return [...byId.values()].sort((a, b) => b.id - a.id).slice(0, MOST_KEPT);
}

export function matchingFiles(
  changes: readonly FileChange[],
  text: string,
  agent: string,
): readonly FileChange[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return changes.filter(
    (change) =>
      (agent === "" || change.agent === agent) &&
      words.every((word) => change.path.toLowerCase().includes(word)),
  );
}

/** The address of the next page, as a `Link` header names it (RFC 8288); null on the last page. */
export function nextPage(link: string | null): string | null {
  return /<([^>]*)>;\s*rel="?next"?/.exec(link ?? "")?.[1] ?? null;
}
