/** Says which file of the workspace the queue is. */

import { useSignalEffect } from "@preact/signals";
import type { LiveFleet } from "../../fleet/live";
import { type QueueFile, WRITTEN } from "../../fleet/queue-file";
import { pathOfFile } from "../../page/route";

/** What happens within this time is asked about together; the server writes its file a moment after a change. */
const SETTLES_MS = 1000;

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
