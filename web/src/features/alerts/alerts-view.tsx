import { useSignal } from "@preact/signals";
import type { Office } from "../../dashboard/office";
import type { Need } from "../../fleet/attention";
import type { LiveFleet } from "../../fleet/live";
import { PLACES, pathOfTask } from "../../page/route";
import { HostBadge } from "../../parts/host-badge";
import { QuestionList } from "../../parts/questions/question-list";
import type { Alert } from "../../state";
import { ago, clock, moment } from "../../words/age";
import { counted } from "../../words/figures";
import "../../styles/alerts-view.css";
import { overdueSince, STATUS_WORDS, type Task } from "../../fleet/task";
import { SearchField } from "../../parts/search-field";

const LEVELS = ["all", "critical", "warning", "info"] as const;
const LEVEL_WORDS = { critical: "Critical", warning: "Warning", info: "Note", all: "All levels" } as const;
const MOST_TASKS = 20;

export function AlertsView({ office }: { office: Office }) {
  const { live } = office;
  const all = office.needs.value;
  const needs = all.filter(({ key }) => !key.startsWith("question-"));
  const fleet = live.fleet.value;
  return (
    <>
      <section class="panel needs" aria-labelledby="needs-title">
        <h2 id="needs-title" class="ribbon">
          Needs you {fleet && <span class="count">{all.length}</span>}
        </h2>
        <QuestionList office={office} />
        {fleet === null ? (
          <p class="empty">{live.waitingWord.value}</p>
        ) : all.length === 0 ? (
          <p class="empty">
            Nothing needs you now. Here stands what does: what agents ask, critical alerts and warnings,
            agents that wait, and agents with an error. <a href="/questions">What was asked before.</a>
          </p>
        ) : (
          <ul>
            {needs.map((need) => (
              <NeedLine key={need.key} need={need} live={live} />
            ))}
          </ul>
        )}
        {live.alerts.value.length > 0 && (
          <button type="button" onClick={() => live.dismissAlerts()}>
            Dismiss {counted(live.alerts.value.length, "alert")}
          </button>
        )}
      </section>
      <Watch tasks={office.queue.tasks.value ?? []} live={live} />
      <AlertList office={office} alerts={fleet?.system.alerts ?? null} />
    </>
  );
}

function NeedLine({ need, live }: { need: Need; live: LiveFleet }) {
  const now = live.now.value;
  const since = moment(need.since);
  return (
    <li class={`need ${need.level}`}>
      <span class="level">
        <span aria-hidden="true">▲</span> {LEVEL_WORDS[need.level]}
      </span>
      <span class="need-text">
        <HostBadge live={live} host={need.host} />{" "}
        {need.path !== null && (
          <a href={need.path} dir="auto">
            {need.subject}
          </a>
        )}{" "}
        <span dir="auto">{need.text}</span>
      </span>
      {since !== null && <span class="when">{ago(since, now)}</span>}
    </li>
  );
}

/** Tasks that stand still: not urgent, but nobody else will look. */
function Watch({ tasks, live }: { tasks: readonly Task[]; live: LiveFleet }) {
  const now = live.now.value;
  const still = tasks.filter(
    (task) => task.status === "blocked" || task.status === "review" || overdueSince(task, now) !== null,
  );
  if (still.length === 0) {
    return null;
  }
  return (
    <section class="panel watch" aria-labelledby="watch-title">
      <h2 id="watch-title" class="ribbon">
        Worth a look <span class="count">{still.length}</span>
      </h2>
      <ul>
        {still.slice(0, MOST_TASKS).map((task) => (
          <li key={task.id} class="need">
            <span class="level">
              {overdueSince(task, now) !== null ? "▲ Late" : STATUS_WORDS[task.status]}
            </span>
            <span class="need-text">
              <HostBadge live={live} host={live.hostOf(task.record)} />{" "}
              <a href={pathOfTask(task.id)}>{task.id}</a> <span dir="auto">{task.description}</span>
            </span>
            <span class="when">{task.priority}</span>
          </li>
        ))}
      </ul>
      {still.length > MOST_TASKS && (
        <p class="column-note">
          and {still.length - MOST_TASKS} more on the <a href={PLACES[1].path}>board</a>
        </p>
      )}
    </section>
  );
}

function AlertList({ office: { live }, alerts }: { office: Office; alerts: readonly Alert[] | null }) {
  const level = useSignal<(typeof LEVELS)[number]>("all");
  const text = useSignal("");
  const open = new Set(live.alerts.value.map(({ id }) => id));
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (alerts ?? []).filter(
    (alert) =>
      (level.value === "all" || alert.level === level.value) &&
      words.every((word) => alert.message.toLowerCase().includes(word)),
  );
  return (
    <section class="panel alert-log" aria-labelledby="alert-log-title">
      <h2 id="alert-log-title" class="ribbon">
        All alerts
      </h2>
      <search class="finder">
        <SearchField
          label="Search alerts"
          placeholder="Search alerts"
          text={text.value}
          search={(typed) => {
            text.value = typed;
          }}
        />
        <label>
          <span class="unseen">Of level</span>
          <select
            value={level.value}
            onChange={(event) => {
              level.value = LEVELS.find((one) => one === event.currentTarget.value) ?? "all";
            }}
          >
            {LEVELS.map((one) => (
              <option key={one} value={one}>
                {LEVEL_WORDS[one]}
              </option>
            ))}
          </select>
        </label>
      </search>
      {alerts === null ? (
        <p class="empty">{live.waitingWord.value}</p>
      ) : alerts.length === 0 ? (
        <p class="empty">
          There has been no alert. One is told when a budget is nearly spent, the gateway goes down, a file
          cannot be read, or an agent runs away; tools can tell their own with the event system:alert.
        </p>
      ) : found.length === 0 ? (
        <p class="empty">No alert has these words and this level.</p>
      ) : (
        <ol>
          {found.map((alert) => (
            <AlertRow
              key={alert.id}
              alert={alert}
              open={open.has(alert.id)}
              live={live}
              onSeen={() => live.dismissAlerts(alert.id)}
            />
          ))}
        </ol>
      )}
    </section>
  );
}

interface AlertRowProps {
  readonly alert: Alert;
  readonly open: boolean;
  readonly live: LiveFleet;
  readonly onSeen: () => void;
}

function AlertRow({ alert, open, live, onSeen }: AlertRowProps) {
  const { id, level, message, timestamp, details } = alert;
  const now = live.now.value;
  const time = moment(timestamp);
  return (
    <li class={`need ${open ? level : "seen"}`}>
      <span class="level">
        <span aria-hidden="true">{level === "info" ? "•" : "▲"}</span> {LEVEL_WORDS[level]}
      </span>
      <span class="need-text">
        <HostBadge live={live} host={live.hostOf(alert)} /> <span dir="auto">{message}</span>
        {details !== null && details !== undefined && (
          <details class="raw">
            <summary>Details</summary>
            <pre>{JSON.stringify(details, null, 2)}</pre>
          </details>
        )}
      </span>
      <span class="when">{time === null ? "" : `${clock(time)}, ${ago(time, now)}`}</span>
      {open ? (
        <button type="button" class="plain" onClick={onSeen}>
          Seen up to here<span class="unseen"> (event {id})</span>
        </button>
      ) : (
        <span class="when">{level === "info" ? "" : "seen"}</span>
      )}
    </li>
  );
}
