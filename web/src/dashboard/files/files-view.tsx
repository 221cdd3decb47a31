import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { ago, clock, moment } from "../age";
import { AgentChoice } from "../agent-choice";
import { bytes, counted, whole } from "../figures";
import type { Office } from "../office";
import { Picture } from "../picture";
import { Portrait } from "../portrait";
import { pathOfAgent, pathOfFile } from "../route";
import "../styles/files.css";
import { SearchField } from "../search-field";
import { type FileChange, FileLog, matchingFiles } from "./file-log";
import { FileSheet } from "./file-sheet";

const MOST_SHOWN = 200;

const ACTIONS: ReadonlyMap<string, readonly [sign: string, word: string]> = new Map([
  ["created", ["+", "new"]],
  ["modified", ["~", "changed"]],
  ["deleted", ["−", "deleted"]],
]);

export function FilesView({ office: { live, router } }: { office: Office }) {
  const log = useMemo(() => new FileLog(), []);
  const [text, agent, more] = [useSignal(""), useSignal(""), useSignal(MOST_SHOWN)];

  useEffect(() => live.follow((events) => log.add(events)), []);
  // Also after a loss: what happened meanwhile is in the log, and read from there.
  useSignalEffect(() => {
    if (!live.connection.value.stale) {
      void log.read();
    }
  });

  const route = router.route.value;
  const open = route.view === "files" ? route.path : null;
  const past = live.pastAt.value !== null;
  const last = live.fleet.value?.id ?? 0;
  const changes = log.changes.value?.filter(({ id }) => !past || id <= last) ?? null;
  const found = matchingFiles(changes ?? [], text.value, agent.value);
  const agents = [...new Set((changes ?? []).flatMap((change) => change.agent ?? []))].sort();
  return (
    <section class={open === null ? "panel files" : "panel files with-sheet"} aria-labelledby="files-title">
      <h2 id="files-title" class="ribbon">
        Files
      </h2>
      <search class="finder">
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
          agents={agents}
          value={agent.value}
          choose={(id) => {
            agent.value = id;
          }}
        />
        <p class="found" role="status">
          {text.value || agent.value
            ? `${counted(found.length, "change")} of the last ${whole(changes?.length ?? 0)}`
            : ""}
        </p>
      </search>
      {log.trouble.value !== null && (
        <div class="refusal" role="alert">
          <p>The files could not be read. {log.trouble.value}</p>
          <button type="button" onClick={() => void log.read()}>
            Try again
          </button>
        </div>
      )}
      <div class="tasks-body">
        <div class="file-changes">
          {changes === null ? (
            log.trouble.value === null && <p class="empty">Loading …</p>
          ) : changes.length === 0 ? (
            <NoFiles workspace={live.workspace.value} />
          ) : found.length === 0 ? (
            <p class="empty">No change here has these words.</p>
          ) : (
            <>
              <ol class="file-list" aria-labelledby="files-title">
                {found.slice(0, more.value).map((change) => (
                  <FileRow
                    key={change.id}
                    change={change}
                    name={live.nameOf(change.agent ?? "")}
                    now={live.now.value}
                  />
                ))}
              </ol>
              {(found.length > more.value || log.more.value) && (
                <button
                  type="button"
                  class="older"
                  onClick={() => {
                    more.value += MOST_SHOWN;
                    void log.read(true);
                  }}
                >
                  Show older
                </button>
              )}
            </>
          )}
        </div>
        {open !== null && <FileSheet key={open} live={live} path={open} />}
      </div>
    </section>
  );
}

function FileRow({ change, name, now }: { change: FileChange; name: string; now: number }) {
  const { action, path, agent, size, time } = change;
  const [sign, word] = ACTIONS.get(action) ?? ["·", action];
  const at = moment(time);
  const slash = path.lastIndexOf("/");
  return (
    <li class={`file ${action}`}>
      <Picture name="files" />
      <span class="file-action">
        <span aria-hidden="true">{sign}</span> {word}
      </span>
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
          "nobody’s folder"
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
      <p>No file has changed yet. Everything that is written below this folder shows up here at once:</p>
      <pre>{workspace ?? "WORKSPACE"}</pre>
    </div>
  );
}
