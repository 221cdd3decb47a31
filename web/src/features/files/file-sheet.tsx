import { useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { LiveFleet } from "../../fleet/live";
import { QueueFile } from "../../fleet/queue-file";
import { useInSight } from "../../page/in-sight";
import { pathOfFile } from "../../page/route";
import { ago, clock, moment } from "../../words/age";
import { bytes } from "../../words/figures";
import { FileContent } from "./file-content";
import { Markdown } from "./markdown";

/** What may be taken for the task queue, and usually is not. */
const LISTS_OF_TASKS = /^mission-control\/(TASK_QUEUE\.(md|json)|PENDING_TASKS\.md)$/;

interface FileSheetProps {
  readonly live: LiveFleet;
  /** The file, relative to the workspace. */
  readonly path: string;
}

/** What is in a file: text, Markdown, JSON or a picture, shown without running anything of it. */
export function FileSheet({ live, path }: FileSheetProps) {
  const content = useMemo(() => new FileContent(path), [path]);

  useSignalEffect(() => {
    if (live.connection.value.stale) {
      return undefined;
    }
    void content.read();
    return live.follow((events) => {
      if (events.some(({ type, data }) => type === "file:change" && data.path === path)) {
        void content.read();
      }
    });
  });

  const sheet = useInSight<HTMLElement>();
  const { trouble, shown } = content;
  const modified = moment(shown.value?.modified);
  return (
    <aside ref={sheet} class="sheet file-sheet" aria-label={path}>
      <header class="sheet-head">
        <h3 dir="auto">{path.slice(path.lastIndexOf("/") + 1)}</h3>
        <a href="/files" class="close">
          <span aria-hidden="true">✕</span>
          <span class="unseen">Close {path}</span>
        </a>
      </header>
      <p class="file-facts">
        <span dir="auto">{path}</span>
        {shown.value !== null && (
          <>
            , {bytes(shown.value.size)}
            {modified !== null && (
              <>
                , <time title={clock(modified)}>{ago(modified, live.now.value)}</time>
              </>
            )}
            {shown.value.encoding !== null && `, not UTF-8: read as ${shown.value.encoding}`}
          </>
        )}
      </p>
      {LISTS_OF_TASKS.test(path) && <NotTheQueue path={path} />}
      {trouble.value !== null ? (
        <p class="empty" role="alert">
          {trouble.value}
        </p>
      ) : shown.value === null ? (
        <p class="empty">Loading …</p>
      ) : shown.value.kind === "image" ? (
        <img class="file-image" src={shown.value.url} alt={path} />
      ) : shown.value.kind === "markdown" ? (
        <article class="markdown" dir="auto">
          <Markdown text={shown.value.text} />
        </article>
      ) : (
        <pre class="file-text" dir="auto">
          {shown.value.text}
        </pre>
      )}
    </aside>
  );
}

/** Says of a list of tasks that it is not the queue, where it is not. */
function NotTheQueue({ path }: { readonly path: string }) {
  const file = useMemo(() => new QueueFile(), []);
  useEffect(() => {
    void file.read();
  }, []);
  const queue = file.path.value;
  if (queue === undefined || queue === path) {
    return null;
  }
  return (
    <p class="file-facts">
      This file is not the task queue
      {queue === null ? (
        "."
      ) : (
        <>
          : that is <a href={pathOfFile(queue)}>{queue}</a>.
        </>
      )}
    </p>
  );
}
