/** The logs: what has happened as sentences, with filters, live. */

import { useSignal, useSignalEffect } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import type { LiveFleet } from "../../fleet/live";
import { pathOfAgent, pathOfSession } from "../../page/route";
import { AgentChoice } from "../../parts/agent-choice";
import { Records } from "../../parts/records";
import { SearchField } from "../../parts/search-field";
import { clock, dayAndTime, moment } from "../../words/age";
import { counted } from "../../words/figures";
import "../../styles/logs.css";
import { ActivityReader, CATEGORIES, type LogEntry, type LogFilter, matching } from "./activity";

const SOON = 500;
const NO_FILTER: LogFilter = { agent: "", category: "", text: "" };

export function LogsView({ office: { live } }: { office: Office }) {
  const reader = useMemo(() => new ActivityReader(), []);
  const filter = useSignal(NO_FILTER);
  const category = useSignal("");
  const set = (change: Partial<LogFilter>) => {
    filter.value = { ...filter.value, ...change };
  };

  useSignalEffect(() => {
    const chosen = category.value;
    if (live.connection.value.stale) {
      return undefined;
    }
    void reader.read(chosen, true);
    let waiting = 0;
    const stop = live.follow((events) => {
      if (waiting === 0 && events.length > 0) {
        waiting = window.setTimeout(() => {
          waiting = 0;
          void reader.read(chosen, false);
        }, SOON);
      }
    });
    return () => {
      stop();
      clearTimeout(waiting);
    };
  });

  const entries = reader.entries.value;
  const found = matching(entries ?? [], filter.value);
  const past = live.pastAt.value;
  const shown = past === null ? found : found.filter(({ time }) => (moment(time) ?? 0) <= past);
  return (
    <section class="panel logs" aria-labelledby="logs-title">
      <h2 id="logs-title" class="ribbon">
        Logs
      </h2>
      <Records here="/logs" />
      <search class="finder">
        <SearchField
          label="Search the logs"
          placeholder="Filter: a word, a type"
          text={filter.value.text}
          search={(text) => set({ text })}
        />
        <AgentChoice
          live={live}
          agents={(live.fleet.value?.agents ?? []).map(({ id }) => id)}
          value={filter.value.agent}
          choose={(agent) => set({ agent })}
        />
        <label>
          <span class="unseen">Type</span>
          <select
            value={category.value}
            onChange={(event) => {
              category.value = event.currentTarget.value;
            }}
          >
            <option value="">All types</option>
            {CATEGORIES.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
        <p class="found" role="status">
          {entries !== null && shown.length < entries.length
            ? `${counted(shown.length, "entry", "entries")} of the newest ${entries.length}`
            : ""}
        </p>
      </search>
      {reader.trouble.value !== null && !live.connection.value.stale && (
        <p class="refusal" role="alert">
          The logs could not be read. {reader.trouble.value}
        </p>
      )}
      {entries === null ? (
        reader.trouble.value === null && <p class="empty">{live.waitingWord.value}</p>
      ) : shown.length === 0 ? (
        <p class="empty">
          {entries.length === 0
            ? "Nothing has happened yet."
            : "No entry is like that among the newest ones. The search finds all that the log holds."}
        </p>
      ) : (
        <ol class="log-list">
          {shown.map((entry) => (
            <Row key={entry.id} entry={entry} live={live} />
          ))}
        </ol>
      )}
      {reader.next.value !== null && (
        <button type="button" class="quiet" onClick={() => void reader.readOlder(category.value)}>
          Older ones
        </button>
      )}
    </section>
  );
}

function Row({ entry, live }: { entry: LogEntry; live: LiveFleet }) {
  const at = moment(entry.time);
  const today = at !== null && new Date(at).toDateString() === new Date(live.time.value).toDateString();
  return (
    <li class="log-entry">
      <time dateTime={entry.time}>
        {at === null ? "" : today ? clock(at) : dayAndTime(at, live.time.value)}
      </time>
      <span class="log-type">{entry.type}</span>
      <span class="log-message" dir="auto">
        {entry.message}
      </span>
      <span class="log-links">
        {entry.agent !== null && (
          <a href={pathOfAgent(entry.agent)}>
            <bdi>{live.nameOf(entry.agent)}</bdi>
          </a>
        )}
        {entry.session !== null && <a href={pathOfSession(entry.session)}>transcript</a>}
      </span>
    </li>
  );
}
