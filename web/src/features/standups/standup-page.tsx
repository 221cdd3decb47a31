/** One standup: the fleet in figures, its alerts, and a report of each agent. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { RequestFailed } from "../../client/http";
import type { LiveFleet } from "../../fleet/live";
import { download } from "../../page/download";
import { pathOfAgent, pathOfFile, pathOfTask } from "../../page/route";
import { Portrait } from "../../parts/portrait";
import { ago, dayAndTime, moment } from "../../words/age";
import { counted, dollars, short, whole } from "../../words/figures";
import {
  type AgentReport,
  type Few,
  hasNews,
  readMarkdown,
  type Standup,
  type StandupTask,
  useWords,
} from "./standup";

export function StandupPage({ live, standup }: { live: LiveFleet; standup: Standup }) {
  const now = live.time.value;
  const time = (text: string | null) => {
    const at = moment(text);
    return at === null ? "an unknown time" : dayAndTime(at, now);
  };
  const { totals } = standup;
  const reports = standup.agents.filter(hasNews);
  const others = standup.agents.filter((agent) => !hasNews(agent));
  return (
    <article class="standup" aria-labelledby="standup-title">
      <header>
        <h3 id="standup-title">{dayOf(standup)}</h3>
        <p class="column-note">
          Since {time(standup.from)};{" "}
          {standup.scheduled === null
            ? `asked for${standup.by === null ? "" : ` by ${standup.by}`}`
            : `scheduled for ${standup.scheduled.slice(11)}`}
          . <Markdown id={standup.id} />
        </p>
      </header>
      {!standup.complete && (
        <p class="standup-incomplete" role="note">
          Earlier events are no longer in the log
          {standup.countedSince === null
            ? ", so nothing of the period is counted."
            : `: this counts from ${time(standup.countedSince)} on.`}
        </p>
      )}
      <dl class="standup-totals">
        <Total figure={whole(totals.completed)} word="completed" />
        <Total figure={whole(totals.started)} word="started" />
        <Total figure={whole(totals.blocked)} word="blocked" />
        <Total figure={totals.tokens === null ? "?" : short(totals.tokens)} word="tokens" />
        <Total
          figure={
            totals.cost === null ? "?" : `${totals.unpricedTokens > 0 ? "≥ " : ""}${dollars(totals.cost)}`
          }
          word="cost"
        />
        <Total figure={whole(totals.files)} word="files" />
        <Total figure={whole(totals.leads)} word="leads" />
        <Total figure={whole(totals.openQuestions)} word="questions" />
      </dl>
      {standup.alerts.length > 0 && (
        <ul class="standup-alerts" aria-label="Alerts of the period">
          {standup.alerts.map(({ id, level, message }) => (
            <li key={id} class={level === "critical" ? "critical" : "warning"}>
              <b>{level === "critical" ? "Critical" : "Warning"}:</b> <bdi>{message}</bdi>
            </li>
          ))}
        </ul>
      )}
      {reports.length > 0 && (
        <ul class="standup-agents" aria-label="Reports of the agents">
          {reports.map((agent) => (
            <Report key={agent.id} agent={agent} now={now} />
          ))}
        </ul>
      )}
      {others.length > 0 && (
        <section class="standup-others" aria-labelledby="others-title">
          <h4 id="others-title">Nothing to report</h4>
          <ul>
            {others.map(({ id, name, status }) => (
              <li key={id}>
                <Portrait id={id} size="small" />
                <a href={pathOfAgent(id)}>
                  <bdi>{name}</bdi>
                </a>
                <small dir="auto">{status}</small>
              </li>
            ))}
          </ul>
        </section>
      )}
      {standup.agents.length === 0 && <p class="empty">There was no agent.</p>}
      {standup.agentsLeftOut > 0 && (
        <p class="column-note">And {counted(standup.agentsLeftOut, "more agent")}, with less to report.</p>
      )}
    </article>
  );
}

/** The download as Markdown. It is a request of the page: a plain link would not carry the key of the session. */
function Markdown({ id }: { id: string }) {
  const trouble = useSignal<string | null>(null);

  async function save(): Promise<void> {
    try {
      download(`${id}.md`, await readMarkdown(id), "text/markdown");
      trouble.value = null;
    } catch (error) {
      trouble.value = error instanceof RequestFailed ? error.failure.reason : "Something went wrong here.";
    }
  }

  return (
    <>
      <button type="button" class="plain" onClick={() => void save()}>
        Markdown
      </button>
      {trouble.value !== null && (
        <span class="refusal" role="alert">
          {" "}
          It was not downloaded. {trouble.value}
        </span>
      )}
    </>
  );
}

const DAY = new Intl.DateTimeFormat("en-GB", {
  weekday: "long",
  day: "numeric",
  month: "long",
  hour: "2-digit",
  minute: "2-digit",
});

/** When it was held, whatever day that was. */
function dayOf(standup: Standup): string {
  const at = moment(standup.to);
  return at === null ? standup.id : DAY.format(at);
}

function Total({ figure, word }: { figure: string; word: string }) {
  return (
    <div>
      <dt>{word}</dt>
      <dd>{figure}</dd>
    </div>
  );
}

function Report({ agent, now }: { agent: AgentReport; now: number }) {
  const last = moment(agent.lastActivity);
  const used = agent.tokens !== 0 || (agent.cost ?? 0) > 0;
  return (
    <li class="standup-agent">
      <header>
        <Portrait id={agent.id} />
        <p>
          <a href={pathOfAgent(agent.id)}>
            <bdi>{agent.name}</bdi>
          </a>{" "}
          <small dir="auto">{agent.status}</small>
          {last !== null && <small class="when">last active {ago(last, now)}</small>}
        </p>
      </header>
      <ul class="points">
        <Tasks word="Completed" tasks={agent.completed} />
        <Tasks word="Started" tasks={agent.started} />
        <Tasks word="Blocked" tasks={agent.blocked} blocked />
        {used && <li>Used {useWords(agent)}</li>}
        {agent.files.count > 0 && (
          <li>
            Changed {counted(agent.files.count, "file")}:{" "}
            <Listed few={agent.files}>
              {(path) => (
                <a key={path} href={pathOfFile(path)} dir="auto">
                  {path.split("/").at(-1)}
                </a>
              )}
            </Listed>
          </li>
        )}
        {agent.questions.newest.map(({ id, description }) => (
          <li key={id}>
            Asks: <a href="/questions">{description}</a>
          </li>
        ))}
      </ul>
    </li>
  );
}

interface TasksProps {
  readonly word: string;
  readonly tasks: Few<StandupTask>;
  readonly blocked?: boolean;
}

function Tasks({ word, tasks, blocked = false }: TasksProps) {
  return tasks.count === 0 ? null : (
    <li class={blocked ? "blocked" : ""}>
      {word} {tasks.count > 1 && `${tasks.count}: `}
      <Listed few={tasks}>
        {({ id, description }) => (
          <a key={id} href={pathOfTask(id)} dir="auto">
            {description}
          </a>
        )}
      </Listed>
    </li>
  );
}

interface ListedProps<Kind> {
  readonly few: Few<Kind>;
  readonly children: (one: Kind) => ComponentChildren;
}

/** The newest few, and how many more there are. */
function Listed<Kind>({ few: { count, newest }, children }: ListedProps<Kind>) {
  const rest = count - newest.length;
  return (
    <>
      {newest.map((one, place) => [place > 0 && "; ", children(one)])}
      {rest > 0 && ` and ${whole(rest)} more`}
    </>
  );
}
