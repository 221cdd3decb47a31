/** Which file of the workspace is the queue: several may look like one, and only one is read; and how long its history is. */

import { signal } from "@preact/signals";
import { isData, type LogEvent } from "../client/protocol";
import { fetchSigned } from "../client/session-key";
import { textOf } from "../words/agent-words";

/** The one that the server writes, and that stays the queue from then on. */
export const WRITTEN = "mission-control/TASK_QUEUE.json";

export class QueueFile {
  /** The file's path; null where there is none yet, undefined while that is not known. */
  readonly path = signal<string | null | undefined>(undefined);
  /** How many completed tasks are in the file's history alone. */
  readonly archived = signal(0);

  async read(): Promise<void> {
    try {
      const response = await fetchSigned("/api/tasks/summary");
      const body: unknown = await response.json();
      if (response.ok && isData(body)) {
        this.path.value = textOf(body.queueFile);
        this.archived.value = typeof body.archived === "number" ? body.archived : 0;
      }
    } catch {
      // The page shows that the server is out of reach; what was known stays.
    }
  }

  /** Whether another file may be the queue, or its history may have another length, after these events. */
  mayChange(events: readonly LogEvent[]): boolean {
    const written = this.path.peek() === WRITTEN;
    return events.some(({ type, data }) =>
      written
        ? type === "task:deleted" && data.archived === true
        : type.startsWith("task:") || (type === "file:change" && textOf(data.path)?.includes("TASK_QUEUE")),
    );
  }
}
