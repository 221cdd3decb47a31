import { useSignal, useSignalEffect } from "@preact/signals";
import { type Data, isData } from "../../client/protocol";
import { fetchSigned } from "../../client/session-key";
import type { Office } from "../../dashboard/office";
import { pathOfFile, pathOfSession, pathOfTask } from "../../page/route";
import { HostBadge } from "../../parts/host-badge";
import { Portrait } from "../../parts/portrait";
import { QuestionList } from "../../parts/questions/question-list";
import type { Agent, FleetState } from "../../state";
import { ago, clock, moment } from "../../words/age";
import { SIGNS, staleSince, taskOf, textOf } from "../../words/agent-words";
import { isolated } from "../../words/direction";
import { bytes, counted, dollars, short, whole } from "../../words/figures";
import "../../styles/agent-view.css";
import { purseOf, usedOn } from "../../fleet/budgets";
import { STATUS_WORDS } from "../../fleet/task";
import { useRow } from "../../fleet/use";
import { Gauge } from "../../parts/gauge";
import { Origin } from "./origin";

const MOST_TASKS = 12;
const MOST_FILES = 12;

/** Everything that is known of one agent, and where each figure comes from and how old it is. */
export function AgentView({ office }: { office: Office }) {
  const route = office.router.route.value;
  const id = route.view === "agent" ? route.id : "";
  const fleet = office.live.fleet.value;
  const agent = fleet?.agents.find((one) => one.id === id);
  if (!fleet || !agent) {
    return (
      <section class="panel" aria-labelledby="agent-title">
        <h2 id="agent-title" class="ribbon" dir="auto">
          {id}
        </h2>
        <p class="empty">
          {fleet === null ? (
            office.live.waitingWord.value
          ) : (
            <>
              There is no agent with this id: it has left, or never was. <a href="/">See who is here.</a>
            </>
          )}
        </p>
      </section>
    );
  }
  return (
    <article class="agent-sheet">
      <section class="questions of-agent" aria-label="What it asks">
        <QuestionList key={id} office={office} agentId={id} />
      </section>
      <Identity office={office} agent={agent} />
      <Cost office={office} agent={agent} fleet={fleet} />
      <Tasks office={office} agent={agent} />
      <Files key={id} office={office} agent={agent} />
      <Sessions office={office} agent={agent} fleet={fleet} />
    </article>
  );
}

function Identity({ office, agent }: { office: Office; agent: Agent }) {
  const { id, name, status, kind } = agent;
  const now = office.live.now.value;
  const host = office.live.hostOf(agent);
  const [confirmed, lastActive, activityAt] = [agent.confirmed, agent.lastActive, agent.lastActivity].map(
    moment,
  );
  const stale = staleSince(agent, now);
  const codename = textOf(agent.codename);
  const specialties = Array.isArray(agent.specialties) ? agent.specialties.filter((one) => textOf(one)) : [];
  const stats = isData(agent.stats) ? agent.stats : {};
  const task = taskOf(agent.currentTask);
  const taskId = isData(agent.currentTask) ? textOf(agent.currentTask.id) : null;
  const detail = textOf(agent.statusDetail);
  const activity = textOf(agent.activity);
  return (
    <section class={`panel identity ${kind}`} aria-labelledby="agent-title">
      <h2 id="agent-title" class="ribbon" dir="auto">
        {name}
      </h2>
      <Portrait id={id} size="large" />
      <div class="who">
        <p class="role" dir="auto">
          {[textOf(agent.role), textOf(agent.division)].filter(Boolean).join(" · ") || "No role is noted"}
        </p>
        {codename && (
          <p class="codename">
            “<bdi>{codename}</bdi>”
          </p>
        )}
        <p>
          <span class="badge">
            <span aria-hidden="true">{SIGNS[kind]}</span> <span dir="auto">{status}</span>
          </span>{" "}
          <HostBadge live={office.live} host={host} since={office.awayHosts.value.get(host ?? "")} />{" "}
          {detail && <span dir="auto">{detail}</span>}
        </p>
        <Origin
          from={textOf(agent.statusSource) ?? "unknown"}
          age={confirmed == null ? "never confirmed" : `confirmed ${ago(confirmed, now)}`}
          stale={stale !== null}
        />
        {specialties.length > 0 && (
          <p class="tags">
            {specialties.map((one) => (
              <span key={String(one)} class="tag" dir="auto">
                {String(one)}
              </span>
            ))}
          </p>
        )}
      </div>
      <dl class="facts">
        <Fact word="Doing now">
          {task === null ? "no task" : taskId ? <a href={pathOfTask(taskId)}>{task}</a> : task}
        </Fact>
        <Fact word="Last seen at">
          {activity
            ? `${isolated(activity)}${activityAt == null ? "" : `, ${ago(activityAt, now)}`}`
            : "nothing seen yet"}
        </Fact>
        <Fact word="Last active">
          {lastActive == null ? "unknown" : `${clock(lastActive)}, ${ago(lastActive, now)}`}
        </Fact>
        <Fact word="Runtime">
          {[textOf(agent.runtime), textOf(agent.model)].filter(Boolean).join(", ") || "unknown"}
        </Fact>
        {host !== null && <Fact word="Host">{host}</Fact>}
        <Fact word="Id">{id}</Fact>
        {Object.entries(stats).map(([word, value]) => (
          <Fact key={word} word={word.replace(/([A-Z])/g, " $1").toLowerCase()}>
            {typeof value === "number" ? whole(value) : String(value)}
          </Fact>
        ))}
      </dl>
      {Object.keys(stats).length > 0 && (
        <p class="origin stats-origin">
          What stands below the id is what it says of itself,{" "}
          {lastActive == null ? "at some time" : `last ${ago(lastActive, now)}`}.
        </p>
      )}
    </section>
  );
}

function Fact({ word, children }: { word: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{word}</dt>
      <dd dir="auto">{children}</dd>
    </div>
  );
}

function Cost({ office, agent: { id, name }, fleet }: { office: Office; agent: Agent; fleet: FleetState }) {
  const record: Data | undefined = fleet.tokens.agents[id];
  const now = office.live.now.value;
  const today = usedOn(fleet, office.today.value, id);
  const all = useRow(id, record ?? {});
  const budget = office.budgetReader.budgets.value?.agents[id];
  const purse = budget === undefined ? null : purseOf(budget, today.cost, now);
  const updated = moment(record?.updated);
  return (
    <section class="panel cost" aria-labelledby="cost-title">
      <h2 id="cost-title" class="ribbon">
        Cost
      </h2>
      {record === undefined ? (
        <p class="empty">No use has been counted: nothing that its runtime leaves behind was found yet.</p>
      ) : (
        <>
          <dl class="totals">
            <div class="total">
              <dt>Today</dt>
              <dd>
                <b>{dollars(today.cost)}</b> <small>{short(today.tokens)} used</small>
              </dd>
            </div>
            <div class="total">
              <dt>In all</dt>
              <dd>
                <b>{dollars(all.cost)}</b> <small>{short(all.tokens)} used</small>
              </dd>
            </div>
          </dl>
          {purse && (
            <p class="budget">
              <Gauge percent={purse.percent} label={`${name} has spent`} /> {Math.round(purse.percent)} % of{" "}
              {dollars(purse.budget)} a day
            </p>
          )}
          <p class="mix">
            {whole(all.input)} in, {whole(all.output)} out, {whole(all.cached)} cached, {whole(all.calls)}{" "}
            calls
          </p>
          <Origin
            from={all.sources.join(", ") || "no price"}
            age={updated === null ? "age unknown" : `counted ${ago(updated, now)}`}
          />
        </>
      )}
    </section>
  );
}

function Tasks({ office, agent: { id } }: { office: Office; agent: Agent }) {
  const tasks = (office.queue.tasks.value ?? []).filter(({ assignedTo }) => assignedTo === id);
  const newest = [...tasks].sort((a, b) => (String(a.record.updated) > String(b.record.updated) ? -1 : 1));
  return (
    <section class="panel own-tasks" aria-labelledby="own-tasks-title">
      <h2 id="own-tasks-title" class="ribbon">
        Its tasks <span class="count">{tasks.length}</span>
      </h2>
      {tasks.length === 0 ? (
        <p class="empty">
          Nothing is given to it. The <a href="/tasks">board</a> gives tasks away.
        </p>
      ) : (
        <ul class="rows">
          {newest.slice(0, MOST_TASKS).map((task) => (
            <li key={task.id}>
              <span class={`priority ${task.priority}`}>{task.priority}</span>
              <a href={pathOfTask(task.id)} dir="auto">
                {task.description}
              </a>
              <small>{STATUS_WORDS[task.status]}</small>
            </li>
          ))}
        </ul>
      )}
      {tasks.length > MOST_TASKS && (
        <p class="column-note">and {tasks.length - MOST_TASKS} more on the board</p>
      )}
    </section>
  );
}

function Files({ office, agent: { id, fileCount } }: { office: Office; agent: Agent }) {
  const files = useSignal<readonly Data[] | null>(null);
  const trouble = useSignal<string | null>(null);
  const now = office.live.now.value;
  const past = office.live.pastAt.value !== null;
  const shown = (files.value ?? []).filter(({ modified }) => !past || (moment(modified) ?? 0) <= now);

  async function read(): Promise<void> {
    try {
      const response = await fetchSigned(`/api/agents/${encodeURIComponent(id)}/files?limit=${MOST_FILES}`);
      const told: unknown = await response.json();
      files.value = Array.isArray(told) ? told.filter(isData) : [];
      trouble.value = response.ok ? null : `The server answers ${response.status}.`;
    } catch {
      trouble.value = "The server cannot be reached.";
    }
  }

  useSignalEffect(() => {
    if (office.live.connection.value.stale) {
      return undefined;
    }
    void read();
    let waiting = 0;
    const stop = office.live.follow((events) => {
      if (waiting === 0 && events.some(({ type, data }) => type === "file:change" && data.agentId === id)) {
        waiting = window.setTimeout(() => {
          waiting = 0;
          void read();
        }, 1000);
      }
    });
    return () => {
      stop();
      clearTimeout(waiting);
    };
  });

  return (
    <section class="panel own-files" aria-labelledby="own-files-title">
      <h2 id="own-files-title" class="ribbon">
        Its last files
      </h2>
      {trouble.value !== null && <p role="alert">{trouble.value}</p>}
      {files.value === null ? (
        trouble.value === null && <p class="empty">Loading …</p>
      ) : shown.length === 0 ? (
        <p class="empty">It has written nothing below its folder yet.</p>
      ) : (
        <ul class="rows">
          {shown.slice(0, MOST_FILES).map((file) => {
            const path = textOf(file.relativePath) ?? "";
            const time = moment(file.modified);
            const own = path.indexOf(`agents/${id}/`);
            return (
              <li key={path}>
                <a class="file-path" href={pathOfFile(path)} dir="auto" title={path}>
                  {own < 0 ? path : path.slice(own + `agents/${id}/`.length)}
                </a>
                <small>
                  {typeof file.size === "number" ? bytes(file.size) : ""}{" "}
                  {time === null ? "" : ago(time, now)}
                </small>
              </li>
            );
          })}
        </ul>
      )}
      {typeof fileCount === "number" && fileCount > 0 && (
        <p class="column-note">{counted(fileCount, "file")} in its folder</p>
      )}
    </section>
  );
}

function Sessions({ office, agent: { id }, fleet }: { office: Office; agent: Agent; fleet: FleetState }) {
  const now = office.live.now.value;
  const sessions = fleet.tokens.sessions.filter(({ agent }) => agent === id).slice(0, MOST_TASKS);
  return (
    <section class="panel own-sessions" aria-labelledby="own-sessions-title">
      <h2 id="own-sessions-title" class="ribbon">
        Its sessions
      </h2>
      {sessions.length === 0 ? (
        <p class="empty">None of the newest sessions is its own.</p>
      ) : (
        <ul class="rows">
          {sessions.map((session) => {
            const row = useRow(session.id, session);
            const time = moment(session.updated);
            return (
              <li key={session.id}>
                <b>{dollars(row.cost)}</b>
                <span class="session">
                  <a href={pathOfSession(session.id)} dir="auto">
                    {session.id}
                  </a>{" "}
                  <small dir="auto">{textOf(session.model) ?? "unknown model"}</small>
                </span>
                <small>
                  {short(row.tokens)} used, {time === null ? "" : ago(time, now)}
                </small>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}
