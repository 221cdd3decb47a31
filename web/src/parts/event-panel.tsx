import { useComputed, useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { type Entry, MAX_KEPT, MAX_SHOWN } from "../fleet/event-log";
import { describeEvent, describeGap } from "../fleet/event-words";
import type { LiveFleet } from "../fleet/live";
import { clock, moment } from "../words/age";
import { HostBadge } from "./host-badge";
import { Records } from "./records";

/** The newest events; `full` where they are a view of their own: then each can be opened. */
export function EventPanel({ live, full = false }: { live: LiveFleet; full?: boolean }) {
  const { shown, filter } = live.log.value;
  // Events may come before the agents are known by name.
  const named = useComputed(() => (live.fleet.value === null ? 0 : 1 + live.hosts.value.length));
  return (
    <section class={full ? "panel events full" : "panel events"} aria-labelledby="events-title">
      <h2 id="events-title" class="ribbon">
        Events
      </h2>
      {full && <Records here="/events" />}
      <Controls live={live} />
      {shown.value.length === 0 && <p class="empty">{whyEmpty(live, filter.value)}</p>}
      {/* Scrolls, so the keyboard has to reach it. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must take the focus */}
      <ol class="event-list" tabIndex={0} aria-labelledby="events-title">
        {shown.value.map((entry) => (
          <Row key={entry.key} entry={entry} live={live} named={named.value} full={full} />
        ))}
      </ol>
      {full && shown.value.length >= MAX_SHOWN && (
        <p class="column-note">
          These are the newest {MAX_SHOWN} that match. A filter reaches {MAX_KEPT.toLocaleString("en-US")}{" "}
          back; <a href="/search">search</a> finds all that the log holds.
        </p>
      )}
    </section>
  );
}

function whyEmpty(live: LiveFleet, filter: string): string {
  if (live.fleet.value === null) {
    return live.waitingWord.value;
  }
  return filter ? "No event here matches the filter." : "Nothing has happened yet.";
}

function Controls({ live }: { live: LiveFleet }) {
  const log = live.log.value;
  const paused = log.paused.value;
  return (
    <div class="controls">
      <label>
        <span class="unseen">Show only events with these words or types</span>
        <input
          type="search"
          placeholder="Filter: scout, agent:*"
          list="event-patterns"
          spellcheck={false}
          autocomplete="off"
          value={log.filter.value}
          onInput={(event) => log.setFilter(event.currentTarget.value)}
        />
      </label>
      <datalist id="event-patterns">
        {["agent:*", "file:*", "task:*", "lead:*", "token:*", "system:*"].map((pattern) => (
          <option key={pattern} value={pattern} />
        ))}
      </datalist>
      <button type="button" aria-pressed={paused} onClick={() => log.pause(!paused)}>
        {paused ? `▶ Resume${log.held.value ? ` (${log.held.value} new)` : ""}` : "❚❚ Pause"}
      </button>
    </div>
  );
}

interface RowProps {
  readonly entry: Entry;
  readonly live: LiveFleet;
  /** Changes when names become known, or hosts have to be told apart. */
  readonly named: number;
  readonly full: boolean;
}

function Row({ entry, live, named, full }: RowProps) {
  const open = useSignal(false);
  // An entry never changes, and at a thousand a second describing each of them once is enough.
  return useMemo(() => {
    const gap = entry.kind === "gap";
    const host = gap ? null : live.hostOfEvent(entry.event);
    const { sign, subject, text, tone } = gap
      ? describeGap(entry.gap)
      : describeEvent(entry.event, (id) => live.nameBeside(id, host));
    const time = gap ? null : moment(entry.event.time);
    return (
      <li class={`event ${tone}`}>
        <time>{time === null ? "" : clock(time)}</time>
        <span class="sign" aria-hidden="true">
          {sign}
        </span>
        <span class="what">
          <span class="line">
            <b dir="auto">{subject}</b> {host !== null && <HostBadge live={live} host={host} />} {text}
          </span>
          {/* What is told by its type alone has said it already. */}
          {!gap && subject !== entry.event.type && <span class="type">{entry.event.type}</span>}
          {full && (
            <button
              type="button"
              class="plain json"
              aria-expanded={open.value}
              onClick={() => {
                open.value = !open.peek();
              }}
            >
              JSON<span class="unseen"> of {gap ? "the gap" : `event ${entry.event.id}`}</span>
            </button>
          )}
        </span>
        {open.value && <pre class="raw">{JSON.stringify(gap ? entry.gap : entry.event, null, 2)}</pre>}
      </li>
    );
  }, [entry, named, full, open.value]);
}
