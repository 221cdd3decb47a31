/** The archive of conversations: every session, newest first, and a search in what was said. */

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { RequestFailed, readJson } from "../../client/http";
import type { Office } from "../../dashboard/office";
import { type Finds, findsIn } from "../../fleet/finds";
import type { LiveFleet } from "../../fleet/live";
import { pathOfAgent, pathOfSession } from "../../page/route";
import { AgentChoice } from "../../parts/agent-choice";
import { FindLine } from "../../parts/find-line";
import { Portrait } from "../../parts/portrait";
import { Records } from "../../parts/records";
import { SearchField } from "../../parts/search-field";
import { dayAndTime, moment } from "../../words/age";
import { counted, dollars, short, whole } from "../../words/figures";
import "../../styles/search.css";
import "../../styles/archive.css";
import { type Conversation, ConversationReader } from "./conversations";

/** How long is waited for the next letter, and after an event, in milliseconds. */
const PAUSE = 250;
const SOON = 1500;

export function ArchiveView({ office: { live } }: { office: Office }) {
  const reader = useMemo(() => new ConversationReader(), []);
  const agent = useSignal("");
  const typed = useSignal("");

  useSignalEffect(() => {
    const chosen = agent.value;
    if (live.connection.value.stale) {
      return undefined;
    }
    void reader.read(chosen);
    let waiting = 0;
    const stop = live.follow((events) => {
      if (waiting === 0 && events.some(({ type }) => type === "token:usage" || type === "agent:activity")) {
        waiting = window.setTimeout(() => {
          waiting = 0;
          void reader.read(chosen);
        }, SOON);
      }
    });
    return () => {
      stop();
      clearTimeout(waiting);
    };
  });

  const page = reader.page.value;
  const text = typed.value.trim();
  return (
    <section class="panel archive" aria-labelledby="archive-title">
      <h2 id="archive-title" class="ribbon">
        Conversations {page && <span class="count">{whole(page.total)}</span>}
      </h2>
      <Records here="/archive" />
      <search class="finder">
        <SearchField
          label="Search what was said"
          placeholder="Search what was said: words, “as they are”, agent:scout"
          text={typed.value}
          search={(value) => {
            typed.value = value;
          }}
        />
        <AgentChoice
          live={live}
          agents={(live.fleet.value?.agents ?? []).map(({ id }) => id)}
          value={agent.value}
          choose={(id) => {
            agent.value = id;
          }}
        />
      </search>
      {text === "" ? (
        <Conversations reader={reader} live={live} />
      ) : (
        <FoundInThem key={`${agent.value} ${text}`} live={live} text={text} agent={agent.value} />
      )}
    </section>
  );
}

function Conversations({ reader, live }: { reader: ConversationReader; live: LiveFleet }) {
  const page = reader.page.value;
  const trouble = reader.trouble.value;
  return (
    <>
      {trouble !== null && !live.connection.value.stale && (
        <p class="refusal" role="alert">
          The conversations could not be read. {trouble}
        </p>
      )}
      {page === null ? (
        trouble === null && <p class="empty">{live.waitingWord.value}</p>
      ) : page.list.length === 0 ? (
        <p class="empty">
          No conversation is known. They are read from the transcripts of OpenClaw, Claude Code and Codex as
          soon as an agent works.
        </p>
      ) : (
        <ol class="conversations">
          {page.list.map((one) => (
            <Row key={one.id} conversation={one} live={live} />
          ))}
        </ol>
      )}
      {page?.next && (
        <button type="button" class="quiet" onClick={() => void reader.readOlder()}>
          Older ones
        </button>
      )}
    </>
  );
}

function Row({ conversation: one, live }: { conversation: Conversation; live: LiveFleet }) {
  const at = moment(one.updated);
  const said = one.firstLine ?? (one.transcript ? "Without words" : "Its transcript is not kept");
  return (
    <li class="conversation">
      {one.agentId === null ? (
        <span class="portrait middle nobody" aria-hidden="true" />
      ) : (
        <Portrait id={one.agentId} size="middle" />
      )}
      <div>
        <p class="first-line">
          {one.transcript ? (
            <a href={pathOfSession(one.id)} dir="auto">
              {said}
            </a>
          ) : (
            said
          )}
        </p>
        <p class="column-note">
          {one.agentId !== null && (
            <a href={pathOfAgent(one.agentId)}>
              <bdi>{live.nameOf(one.agentId)}</bdi>
            </a>
          )}
          {one.model !== null && <span dir="auto">{one.model}</span>}
          {one.tokens !== null && (
            <span>{counted(one.tokens, "token").replace(/^\S+/, short(one.tokens))}</span>
          )}
        </p>
      </div>
      <p class="conversation-end">
        <b>{one.cost === null ? "–" : dollars(one.cost)}</b>
        {at !== null && <small>{dayAndTime(at, live.time.value)}</small>}
      </p>
    </li>
  );
}

/** What the search finds in transcripts. */
function FoundInThem({ live, text, agent }: { live: LiveFleet; text: string; agent: string }) {
  const found = useSignal<Finds | null>(null);
  const trouble = useSignal<string | null>(null);
  const asking = useRef<AbortController | null>(null);

  async function ask(after: string | null): Promise<void> {
    asking.current?.abort();
    const asked = new AbortController();
    asking.current = asked;
    const query = new URLSearchParams({ q: text, in: "transcripts", limit: "30" });
    for (const [name, value] of [
      ["agent", agent],
      ["after", after],
    ] as const) {
      if (value) {
        query.set(name, value);
      }
    }
    try {
      const page = findsIn(await readJson(`/api/search?${query}`, { apiUrl: "" }, asked.signal));
      const before = after === null ? [] : (found.peek()?.finds ?? []);
      found.value = { ...page, finds: [...before, ...page.finds] };
      trouble.value = null;
    } catch (error) {
      if (!asked.signal.aborted) {
        trouble.value = error instanceof RequestFailed ? error.failure.reason : "Something went wrong here.";
      }
    }
  }

  // Each text has a component of its own, so this runs once for it.
  useEffect(() => {
    const timer = setTimeout(() => void ask(null), PAUSE);
    return () => {
      clearTimeout(timer);
      asking.current?.abort();
    };
  }, []);

  const page = found.value;
  return (
    <>
      <p class="found" role="status">
        {page !== null && `${page.exact ? "" : "More than "}${whole(page.count)} found`}
      </p>
      {trouble.value !== null && (
        <p class="refusal" role="alert">
          Not searched: {trouble.value}
        </p>
      )}
      {page === null ? (
        trouble.value === null && <p class="empty">Searching …</p>
      ) : page.finds.length === 0 ? (
        <p class="empty">Nothing that was said has these words.</p>
      ) : (
        <ol class="finds">
          {page.finds.map((find) => (
            <FindLine key={find.kind === "event" ? find.event.id : find.id} live={live} find={find} />
          ))}
        </ol>
      )}
      {page?.next && (
        <button type="button" class="quiet" onClick={() => void ask(page.next)}>
          Older ones
        </button>
      )}
    </>
  );
}
