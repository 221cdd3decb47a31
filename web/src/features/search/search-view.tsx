import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { RequestFailed, readJson } from "../../client/http";
import type { Office } from "../../dashboard/office";
import { pathOfSearch } from "../../page/route";
import { Records } from "../../parts/records";
import { SearchField } from "../../parts/search-field";
import { counted, whole } from "../../words/figures";
import "../../styles/search.css";
import { type Finds, findsIn } from "../../fleet/finds";
import { FindLine } from "../../parts/find-line";

/** How long is waited for the next letter, in milliseconds. */
const PAUSE = 250;
const NOTHING: Finds = { finds: [], count: 0, exact: true, lag: 0, unread: 0, trouble: null, next: null };
const PLACES = [
  { place: null, word: "Everything" },
  { place: "events", word: "Events" },
  { place: "transcripts", word: "Transcripts" },
] as const;

/** Everything that has happened and was said, by words. */
export function SearchView({ office }: { office: Office }) {
  const { router } = office;
  const route = router.route.value;
  const typed = useSignal(route.view === "search" ? route.text : "");
  const place = useSignal<(typeof PLACES)[number]["place"]>(null);
  const found = useSignal<Finds | null>(null);
  const trouble = useSignal<string | null>(null);
  const busy = useSignal(false);
  const asking = useRef<AbortController | null>(null);

  async function ask(text: string, after: string | null): Promise<void> {
    asking.current?.abort();
    const asked = new AbortController();
    asking.current = asked;
    busy.value = true;
    const within = place.peek();
    const query = new URLSearchParams({
      q: text,
      limit: "30",
      ...(within === null ? {} : { in: within }),
      ...(after === null ? {} : { after }),
    });
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
    void place.value;
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

  const { finds, count, exact, lag, unread, trouble: without, next } = found.value ?? NOTHING;
  const notYet = [
    lag > 0 ? `the newest ${counted(lag, "event")}` : null,
    unread > 0 ? `the end of ${counted(unread, "transcript")}` : null,
  ].filter((part) => part !== null);
  return (
    <section class="panel searching" aria-labelledby="search-title">
      <h2 id="search-title" class="ribbon">
        Search
      </h2>
      <Records here="/search" />
      <search class="finder">
        <SearchField
          label="Search everything that has happened and was said"
          placeholder="Words, “as they are”, -without, agent:scout, type:task"
          text={typed.value}
          search={(text) => {
            typed.value = text;
          }}
        />
        <fieldset class="choices within">
          <legend class="unseen">Where</legend>
          {PLACES.map((one) => (
            <button
              key={one.word}
              type="button"
              aria-pressed={place.value === one.place}
              onClick={() => {
                place.value = one.place;
              }}
            >
              {one.word}
            </button>
          ))}
        </fieldset>
        <p class="found" role="status">
          {found.value !== null &&
            `${exact ? "" : "More than "}${whole(count)} found${
              notYet.length > 0 ? `; ${notYet.join(" and ")} cannot be found yet` : ""
            }`}
        </p>
      </search>
      {trouble.value !== null && (
        <p class="refusal" role="alert">
          Not searched: {trouble.value}
        </p>
      )}
      {without !== null && (
        <p class="refusal" role="alert">
          Without transcripts: {without}
        </p>
      )}
      {typed.value.trim() === "" ? (
        <p class="empty">
          Everything that the log holds can be found by its words, and what was said in the agents’
          transcripts: a task, a path, a command, an answer. A word is found from its beginning on.
        </p>
      ) : found.value === null ? (
        trouble.value === null && <p class="empty">Searching …</p>
      ) : finds.length === 0 ? (
        <p class="empty">Nothing that has happened or was said has these words.</p>
      ) : (
        <ol class="finds" aria-busy={busy.value}>
          {finds.map((find) => (
            <FindLine key={find.kind === "event" ? find.event.id : find.id} live={office.live} find={find} />
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
