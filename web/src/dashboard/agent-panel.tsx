import type { Agent } from "../client/state";
import { ago, moment } from "./age";
import { SIGNS, staleSince, taskOf, textOf } from "./agent-words";
import type { LiveFleet } from "./live";
import { Portrait } from "./portrait";
import { pathOfAgent } from "./route";

export function AgentPanel({ live }: { live: LiveFleet }) {
  const agents = live.fleet.value?.agents;
  return (
    <section class="panel agents" aria-labelledby="agents-title">
      <h2 id="agents-title" class="ribbon">
        Agents {agents && <span class="count">{agents.length}</span>}
      </h2>
      {agents === undefined && <p class="empty">{live.waitingWord.value}</p>}
      {agents?.length === 0 && <NoAgents workspace={live.workspace.value} />}
      <ul class="cards">
        {agents?.map((agent) => (
          <AgentCard key={agent.id} agent={agent} now={live.now.value} />
        ))}
      </ul>
    </section>
  );
}

function AgentCard({ agent, now }: { agent: Agent; now: number }) {
  const { id, name, status, kind } = agent;
  const stale = staleSince(agent, now);
  const task = taskOf(agent.currentTask);
  const codename = textOf(agent.codename);
  const lastActive = moment(agent.lastActive);
  const place = [textOf(agent.role), textOf(agent.division)].filter(Boolean).join(" · ");
  return (
    <li class={stale === null ? `card ${kind}` : `card ${kind} stale`} data-agent={id}>
      <Portrait id={id} />
      <h3>
        <a href={pathOfAgent(id)} dir="auto">
          {name}
        </a>{" "}
        {codename && (
          <span class="codename">
            “<bdi>{codename}</bdi>”
          </span>
        )}
      </h3>
      <p class="place" dir="auto">
        {place || id}
      </p>
      <p class="status">
        <span class="badge">
          <span aria-hidden="true">{SIGNS[kind]}</span> <span dir="auto">{status}</span>
        </span>
      </p>
      <p class={task === null ? "task no-task" : "task"} dir="auto">
        {task ?? "no task"}
      </p>
      <p class="last">
        {lastActive === null ? "last active: unknown" : `active ${ago(lastActive, now)}`}
        {stale !== null && <strong> · status {ago(stale, now)}</strong>}
      </p>
    </li>
  );
}

function NoAgents({ workspace }: { workspace: string | null }) {
  return (
    <div class="empty">
      <p>Nobody here yet. An agent moves in as soon as it has a folder in the workspace:</p>
      <pre>{`${workspace ?? "WORKSPACE"}/agents/scout/state.json\n\n{"status": "idle"}`}</pre>
    </div>
  );
}
