/** Which file of the workspace is the queue: several may look like one, and only one is read; and how long its history is. */

import { signal, useSignalEffect } from "@preact/signals";
import { isData, type LogEvent } from "../../client/protocol";
import { fetchSigned } from "../../client/session-key";
import { textOf } from "../agent-words";
import type { LiveFleet } from "../live";
import { pathOfFile } from "../route";

/** The one that the server writes, and that stays the queue from then on. */
const WRITTEN = "mission-control/TASK_QUEUE.json";

/** What happens within this time is asked about together; the server writes its file a moment after a change. */
const SETTLES_MS = 1000;

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

export function QueueFileLine({ live, file }: { live: LiveFleet; file: QueueFile }) {
  useSignalEffect(() => {
    if (live.connection.value.stale) {
      return undefined;
    }
    void file.read();
    let waiting = 0;
    const stop = live.follow((events) => {
      if (waiting === 0 && file.mayChange(events)) {
        waiting = window.setTimeout(() => {
          waiting = 0;
          void file.read();
        }, SETTLES_MS);
      }
    });
    return () => {
      stop();
      clearTimeout(waiting);
    };
  });

  const path = file.path.value;
  if (path === undefined || live.pastAt.value !== null) {
    return null;
  }
  if (path === null) {
    return <p class="queue-file">There is no queue file yet: the first task makes {WRITTEN}.</p>;
  }
  return (
    <p class="queue-file">
      The queue is the file <a href={pathOfFile(path)}>{path}</a>
      {path === WRITTEN
        ? ". Other task lists next to it are not read."
        : `. The first change made here makes ${WRITTEN}, which is the queue from then on.`}
    </p>
  );
}
