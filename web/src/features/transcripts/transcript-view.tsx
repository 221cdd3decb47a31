import { useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { pathOfAgent } from "../../page/route";
import { Portrait } from "../../parts/portrait";
import { clock, dayAndTime } from "../../words/age";
import { whole } from "../../words/figures";
import "../../styles/transcript.css";
import { type Message, TranscriptReader } from "./transcript";

/** How long is waited after an event of the session's agent, in milliseconds: its words are kept a moment later. */
const SOON = 700;
/** So many lines of what a tool is asked or answers are shown without being asked for. */
const SHORT = 3;

const RUNTIMES: Readonly<Record<string, string>> = {
  openclaw: "OpenClaw",
  claude: "Claude Code",
  codex: "Codex",
};

/** What was said in a session. */
export function TranscriptView({ office }: { office: Office }) {
  const route = office.router.route.value;
  const [session, message] = route.view === "session" ? [route.id, route.message] : ["", null];
  return <Transcript key={`${session} ${message}`} office={office} session={session} message={message} />;
}

interface TranscriptProps {
  readonly office: Office;
  readonly session: string;
  /** The message that somebody came for. */
  readonly message: string | null;
}

function Transcript({ office, session, message }: TranscriptProps) {
  const { live } = office;
  const reader = useMemo(() => new TranscriptReader(session), [session]);
  const list = useRef<HTMLOListElement>(null);
  const page = reader.page.value;
  const past = live.pastAt.value;
  const shown = (page?.messages ?? []).filter(({ at }) => past === null || at <= past);
  const agentId = page?.agentId ?? null;

  useSignalEffect(() => {
    if (live.connection.value.stale) {
      return undefined;
    }
    void (reader.page.peek() === null ? reader.begin(message) : reader.follow());
    let waiting = 0;
    const stop = live.follow((events) => {
      const agent = reader.page.peek()?.agentId ?? null;
      const own = events.some(({ data }) => agent === null || data.agent === agent || data.agentId === agent);
      if (waiting === 0 && own) {
        waiting = window.setTimeout(() => {
          waiting = 0;
          void reader.follow();
        }, SOON);
      }
    });
    return () => {
      stop();
      clearTimeout(waiting);
    };
  });

  const read = page !== null;
  useEffect(() => {
    const wanted = list.current?.querySelector(".wanted") ?? list.current?.lastElementChild;
    wanted?.scrollIntoView({ block: message === null ? "nearest" : "center" });
  }, [read, message]);

  // Whoever looks at the end goes along with what is said.
  const last = shown.at(-1)?.id;
  useEffect(() => {
    const before = list.current?.lastElementChild?.previousElementSibling;
    if (last !== undefined && before && before.getBoundingClientRect().top < innerHeight) {
      list.current?.lastElementChild?.scrollIntoView({ block: "nearest" });
    }
  }, [last]);

  return (
    <section class="panel transcript" aria-labelledby="transcript-title">
      <h2 id="transcript-title" class="ribbon">
        Transcript
      </h2>
      <header class="whose">
        {agentId !== null && <Portrait id={agentId} />}
        <p>
          {agentId === null ? (
            "A session"
          ) : (
            <a href={pathOfAgent(agentId)}>
              <bdi>{live.nameOf(agentId)}</bdi>
            </a>
          )}
          {page?.runtime && ` on ${RUNTIMES[page.runtime] ?? page.runtime}`}{" "}
          <small dir="auto">{session}</small>
        </p>
      </header>
      {reader.trouble.value !== null && (
        <div class="refusal" role="alert">
          <p>{reader.trouble.value}</p>
          <button type="button" onClick={() => void reader.begin(message)}>
            Try again
          </button>
        </div>
      )}
      {page === null ? (
        reader.trouble.value === null && <p class="empty">Reading …</p>
      ) : shown.length === 0 ? (
        <p class="empty">
          Nothing that was said in it is kept{past === null ? "." : " from before this moment."}
        </p>
      ) : (
        <>
          {page.older !== null && (
            <button type="button" class="quiet" onClick={() => void reader.readOlder()}>
              Older ones
            </button>
          )}
          <ol class="messages" ref={list}>
            {shown.map((one) => (
              <Line
                key={one.id}
                office={office}
                message={one}
                agentId={agentId}
                wanted={one.id === message}
              />
            ))}
          </ol>
          {page.newer !== null && (
            <button type="button" class="quiet" onClick={() => void reader.readNewer()}>
              Newer ones
            </button>
          )}
        </>
      )}
    </section>
  );
}

interface LineProps {
  readonly office: Office;
  readonly message: Message;
  readonly agentId: string | null;
  readonly wanted: boolean;
}

function Line({ office: { live }, message, agentId, wanted }: LineProps) {
  const { at, role, tool } = message;
  const told = role === "user" || role === "assistant";
  return (
    <li class={`message ${role}${isShort(message) ? " short" : ""}${wanted ? " wanted" : ""}`}>
      <p class="about">
        <b dir="auto">
          {role === "user"
            ? "Asked"
            : role === "assistant"
              ? agentId === null
                ? "Said"
                : live.nameOf(agentId)
              : role === "thinking"
                ? "Thinks"
                : (tool ?? "A tool")}
        </b>{" "}
        {role === "result" && "answers "}
        <time dateTime={new Date(at).toISOString()} title={dayAndTime(at, live.time.value)}>
          {clock(at)}
        </time>
      </p>
      {told ? <Words message={message} /> : <Folded message={message} open={wanted} />}
    </li>
  );
}

/** What fits next to its title. */
function isShort({ text }: Message): boolean {
  return text.length < 90 && !text.includes("\n");
}

/** Long answers of tools are folded: what was said is what most come for. */
function Folded({ message, open }: { message: Message; open: boolean }) {
  const lines = message.text.split("\n");
  if (message.text === "" || (lines.length <= SHORT && message.text.length < 200)) {
    return <Words message={message} />;
  }
  return (
    <details open={open}>
      <summary dir="auto">{(lines.find((line) => line.trim() !== "") ?? "").slice(0, 160)} …</summary>
      <Words message={message} />
    </details>
  );
}

function Words({ message: { text, cut } }: { message: Message }) {
  return (
    <>
      <p class="words" dir="auto">
        {text}
      </p>
      {cut > 0 && <p class="cut">and {whole(cut)} characters more, which are not kept here</p>}
    </>
  );
}
