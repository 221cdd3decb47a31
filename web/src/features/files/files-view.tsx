import { useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import type { LiveFleet } from "../../fleet/live";
import { choicesIn, useAddressQuery } from "../../page/address-query";
import { pathOfAgent, pathOfFile } from "../../page/route";
import { AgentChoice } from "../../parts/agent-choice";
import { Picture } from "../../parts/picture";
import { Portrait } from "../../parts/portrait";
import { ago, clock, moment } from "../../words/age";
import { bytes, counted, whole } from "../../words/figures";
import "../../styles/files.css";
import { SearchField } from "../../parts/search-field";
import { FileListing, type ListedFile } from "./file-listing";
import { type FileChange, FileLog, matchingFiles } from "./file-log";
import { FileSheet } from "./file-sheet";

const MOST_SHOWN = 200;
/** What is written within this time is looked up together. */
const SETTLES_MS = 1000;
const TYPED_MS = 200;

const ACTIONS: ReadonlyMap<string, readonly [sign: string, word: string]> = new Map([
  ["created", ["+", "new"]],
  ["modified", ["~", "changed"]],
  ["deleted", ["−", "deleted"]],
]);

const LISTS = [
  { list: "changes", word: "Changes" },
  { list: "disk", word: "All files" },
] as const;

type List = (typeof LISTS)[number]["list"];

export function FilesView({ office: { live, router } }: { office: Office }) {
  const [log, listing] = useMemo(() => [new FileLog(), new FileListing()], []);
  const first = useMemo(() => choicesIn(location.search, ["q", "agent", "list"]), []);
  const [text, agent, more] = [useSignal(first.q ?? ""), useSignal(first.agent ?? ""), useSignal(MOST_SHOWN)];
  const chosen = useSignal<List | null>(LISTS.find(({ list }) => list === first.list)?.list ?? null);
  /** What a person has chosen; what the page chooses by itself is not in the address. */
  const picked = useSignal<string>(chosen.value ?? "");
  useAddressQuery(router, "files", () => ({ q: text.value, agent: agent.value, list: picked.value }));
  const past = live.pastAt.value !== null;
  const last = live.fleet.value?.id ?? 0;
  const changes = log.changes.value?.filter(({ id }) => !past || id <= last) ?? null;
  // The disk has no past.
  const list: List | null = past ? "changes" : chosen.value;

  useEffect(() => live.follow((events) => log.add(events)), []);
  useSignalEffect(() => {
    const known = log.changes.value;
    if (known !== null && chosen.peek() === null && live.pastAt.value === null) {
      // Where nothing has changed yet, what is there is of more use; and it stays when something does.
      chosen.value = known.length > 0 ? "changes" : "disk";
    }
  });
  // Also after a loss: what happened meanwhile is in the log, and read from there.
  useSignalEffect(() => {
    if (!live.connection.value.stale) {
      void log.read();
    }
  });
  const stale = live.connection.value.stale;
  useEffect(() => {
    if (list !== "disk" || stale) {
      return undefined;
    }
    const read = () => listing.read(text.value, agent.value);
    let waiting = window.setTimeout(
      () => {
        waiting = 0;
        void read();
      },
      listing.files.peek() === null ? 0 : TYPED_MS,
    );
    const stop = live.follow((events) => {
      if (waiting === 0 && events.some(({ type }) => type === "file:change")) {
        waiting = window.setTimeout(() => {
          waiting = 0;
          void read();
        }, SETTLES_MS);
      }
    });
    return () => {
      stop();
      clearTimeout(waiting);
    };
  }, [list, stale, text.value, agent.value]);

  const route = router.route.value;
  const open = route.view === "files" ? route.path : null;
  const found = matchingFiles(changes ?? [], text.value, agent.value);
  const agents =
    list === "disk"
      ? (live.fleet.value?.agents ?? []).map(({ id }) => id)
      : [...new Set((changes ?? []).flatMap((change) => change.agent ?? []))];
  const filtered = text.value !== "" || agent.value !== "";
  const trouble = list === "disk" ? listing.trouble.value : log.trouble.value;
  return (
    <section class={open === null ? "panel files" : "panel files with-sheet"} aria-labelledby="files-title">
      <h2 id="files-title" class="ribbon">
        Files
      </h2>
      <search class="finder">
        {!past && (
          <fieldset class="choices file-lists">
            <legend class="unseen">Show</legend>
            {LISTS.map((one) => (
              <button
                key={one.list}
                type="button"
                aria-pressed={list === one.list}
                onClick={() => {
                  chosen.value = picked.value = one.list;
                }}
              >
                {one.word}
              </button>
            ))}
          </fieldset>
        )}
        <SearchField
          label="Search paths"
          placeholder="Search: reports, .md, a folder"
          text={text.value}
          search={(typed) => {
            text.value = typed;
          }}
        />
        <AgentChoice
          live={live}
          agents={agents.sort()}
          value={agent.value}
          choose={(id) => {
            agent.value = id;
          }}
        />
        <p class="found" role="status">
          {list === "disk"
            ? listing.files.value && counted(listing.total.value, "file")
            : filtered && `${counted(found.length, "change")} of the last ${whole(changes?.length ?? 0)}`}
        </p>
      </search>
      {trouble !== null && (
        <div class="refusal" role="alert">
          <p>The files could not be read. {trouble}</p>
          <button
            type="button"
            onClick={() => void (list === "disk" ? listing.read(text.value, agent.value) : log.read())}
          >
            Try again
          </button>
        </div>
      )}
      <div class="tasks-body">
        <div class="file-changes">
          {list === "disk" ? (
            <FileRows
              files={listing.files.value}
              live={live}
              trouble={trouble}
              empty={
                filtered ? (
                  <p class="empty">No file has these words in its path.</p>
                ) : (
                  <NoFiles workspace={live.workspace.value} />
                )
              }
              older={listing.more.value ? () => void listing.older() : null}
            />
          ) : (
            <FileRows
              files={changes && found.slice(0, more.value)}
              live={live}
              trouble={trouble}
              empty={
                <p class="empty">
                  {changes?.length === 0 ? "No file has changed yet." : "No change here has these words."}
                </p>
              }
              older={
                found.length > more.value || log.more.value
                  ? () => {
                      more.value += MOST_SHOWN;
                      void log.read(true);
                    }
                  : null
              }
            />
          )}
        </div>
        {open !== null && <FileSheet key={open} live={live} path={open} />}
      </div>
    </section>
  );
}

interface FileRowsProps {
  /** Null until they are known. */
  readonly files: readonly (FileChange | ListedFile)[] | null;
  readonly live: LiveFleet;
  readonly trouble: string | null;
  readonly empty: ComponentChildren;
  /** Shows older ones; null where there are none. */
  readonly older: (() => void) | null;
}

function FileRows({ files, live, trouble, empty, older }: FileRowsProps) {
  if (files === null) {
    return trouble === null ? <p class="empty">Loading …</p> : null;
  }
  return (
    <>
      {files.length === 0 ? (
        empty
      ) : (
        <ol class="file-list" aria-labelledby="files-title">
          {files.map((file) => (
            <FileRow
              key={"id" in file ? file.id : file.path}
              file={file}
              name={live.nameOf(file.agent ?? "")}
              now={live.now.value}
            />
          ))}
        </ol>
      )}
      {older !== null && (
        <button type="button" class="older" onClick={older}>
          Show older
        </button>
      )}
    </>
  );
}

function FileRow({ file, name, now }: { file: FileChange | ListedFile; name: string; now: number }) {
  const { path, agent, size, time } = file;
  const action = "action" in file ? file.action : "listed";
  const [sign, word] = ACTIONS.get(action) ?? ["·", action];
  const at = moment(time);
  const slash = path.lastIndexOf("/");
  return (
    <li class={`file ${action}`}>
      <Picture name="files" />
      {action !== "listed" && (
        <span class="file-action">
          <span aria-hidden="true">{sign}</span> {word}
        </span>
      )}
      <span class="file-path">
        {action === "deleted" ? (
          <b dir="auto">{path.slice(slash + 1)}</b>
        ) : (
          <a href={pathOfFile(path)}>
            <b dir="auto">{path.slice(slash + 1)}</b>
          </a>
        )}{" "}
        <span dir="auto">{slash < 0 ? "" : path.slice(0, slash)}</span>
      </span>
      <span class="file-agent">
        {agent === null ? (
          "no agent"
        ) : (
          <a href={pathOfAgent(agent)}>
            <Portrait id={agent} size="small" /> <span dir="auto">{name}</span>
          </a>
        )}
      </span>
      <span class="file-size">{size === null ? "" : bytes(size)}</span>
      <time dateTime={time} title={at === null ? "" : clock(at)}>
        {at === null ? "" : ago(at, now)}
      </time>
    </li>
  );
}

function NoFiles({ workspace }: { workspace: string | null }) {
  return (
    <div class="empty">
      <p>There are no files yet. Everything that is written below this folder shows up here at once:</p>
      <pre>{workspace ?? "WORKSPACE"}</pre>
    </div>
  );
}
