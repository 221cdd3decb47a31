import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { RequestFailed, readJson } from "../../client/http";
import { dayAndTime, moment } from "../age";
import { describeEvent } from "../event-words";
import { counted, whole } from "../figures";
import { HostBadge } from "../host-badge";
import type { Office } from "../office";
import { Portrait } from "../portrait";
import { pathOfAgent, pathOfSearch } from "../route";
import { SearchField } from "../search-field";
import "../styles/search.css";
import { type Find, type Finds, findsIn } from "./finds";

/** How long is waited for the next letter, in milliseconds. */
const PAUSE = 250;
const NOTHING: Finds = { finds: [], count: 0, exact: true, lag: 0, next: null };

/** Everything that has happened, by words. */
export function SearchView({ office }: { office: Office }) {
  const { router } = office;
  const route = router.route.value;
  const typed = useSignal(route.view === "search" ? route.text : "");
  const found = useSignal<Finds | null>(null);
  const trouble = useSignal<string | null>(null);
  const busy = useSignal(false);
  const asking = useRef<AbortController | null>(null);

  async function ask(text: string, after: string | null): Promise<void> {
    asking.current?.abort();
    const asked = new AbortController();
    asking.current = asked;
    busy.value = true;
    const query = new URLSearchParams({ q: text, limit: "30", ...(after === null ? {} : { after }) });
    try {
      const page = findsIn(await readJson(`/api/search?${query}`, { apiUrl: "" }, asked.signal));
      const before = after === null ? [] : (found.peek()?.finds ?? []);
      found.value = { ...page, finds: [...before, ...page.finds] };
      trouble.value = null;
    } catch (error) {
      if (asked.signal.aborted) {
        return;
      }
      trouble.value = error instanceof RequestFailed ? error.failure.reason : "Something went wrong here.";
    }
    busy.value = false;
  }

  useSignalEffect(() => {
    const text = typed.value.trim();
    const timer = setTimeout(() => {
      if (router.route.peek().view === "search") {
        router.replace(pathOfSearch(text));
      }
      if (text === "") {
        asking.current?.abort();
        busy.value = false;
        found.value = trouble.value = null;
      } else {
        void ask(text, null);
      }
    }, PAUSE);
    return () => clearTimeout(timer);
  });

  const { finds, count, exact, lag, next } = found.value ?? NOTHING;
  return (
    <section class="panel searching" aria-labelledby="search-title">
      <h2 id="search-title" class="ribbon">
        Search
      </h2>
      <search class="finder">
        <SearchField
          label="Search everything that has happened"
          placeholder="Words, “as they are”, -without, agent:scout, type:task"
          text={typed.value}
          search={(text) => {
            typed.value = text;
          }}
        />
        <p class="found" role="status">
          {found.value !== null &&
            `${exact ? "" : "More than "}${counted(count, "event")} found${
              lag > 0 ? `; the newest ${whole(lag)} cannot be found yet` : ""
            }`}
        </p>
      </search>
      {trouble.value !== null && (
        <p class="refusal" role="alert">
          Not searched: {trouble.value}
        </p>
      )}
      {typed.value.trim() === "" ? (
        <p class="empty">
          Everything that the log holds can be found by its words: a task, a path, what an agent was told. A
          word is found from its beginning on.
        </p>
      ) : found.value === null ? (
        trouble.value === null && <p class="empty">Searching …</p>
      ) : finds.length === 0 ? (
        <p class="empty">Nothing that has happened has these words.</p>
      ) : (
        <ol class="finds" aria-busy={busy.value}>
          {finds.map((find) => (
            <FindLine key={find.event.id} office={office} find={find} />
          ))}
        </ol>
      )}
      {next !== null && (
        <button type="button" class="quiet" onClick={() => void ask(typed.peek().trim(), next)}>
          Older ones
        </button>
      )}
    </section>
  );
}

function FindLine({ office: { live }, find }: { office: Office; find: Find }) {
  const { event, agentId, pieces } = find;
  const time = moment(event.time);
  const line = describeEvent(event, live.nameOf);
  return (
    <li class="find">
      {agentId === null ? (
        <span class="sign" aria-hidden="true">
          {line.sign}
        </span>
      ) : (
        <Portrait id={agentId} size="middle" />
      )}
      <div>
        <p class="about">
          {agentId === null ? (
            <bdi>{line.subject}</bdi>
          ) : (
            <a href={pathOfAgent(agentId)}>
              <bdi>{live.nameOf(agentId)}</bdi>
            </a>
          )}{" "}
          <HostBadge live={live} host={live.hostOfEvent(event)} /> <small>{event.type}</small>{" "}
          {time !== null && <small class="when">{dayAndTime(time, live.time.value)}</small>}
        </p>
        <p class="snippet" dir="auto">
          {pieces.map((piece, place) => (place % 2 === 1 ? <mark key={place}>{piece}</mark> : piece))}
        </p>
        <details class="raw">
          <summary>Event {event.id}</summary>
          <pre>{JSON.stringify(event, null, 2)}</pre>
        </details>
      </div>
    </li>
  );
}
