import { useSignal } from "@preact/signals";
import type { Office } from "../../dashboard/office";
import { hostOf } from "../../fleet/hosts";
import { pathOfAgent } from "../../page/route";
import { HostBadge } from "../../parts/host-badge";
import { HostFilter } from "../../parts/host-filter";
import { Portrait } from "../../parts/portrait";
import type { Agent } from "../../state";
import { ago, moment } from "../../words/age";
import { SIGNS, staleSince, taskOf, textOf } from "../../words/agent-words";

export function AgentPanel({ office }: { office: Office }) {
  const { live } = office;
  const chosen = useSignal("");
  // A host may have left since it was chosen.
  const host = live.hosts.value.includes(chosen.value) ? chosen.value : "";
  const agents = live.fleet.value?.agents.filter((agent) => host === "" || hostOf(agent) === host);
  return (
    <section class="panel agents" aria-labelledby="agents-title">
      <h2 id="agents-title" class="ribbon">
        Agents {agents && <span class="count">{agents.length}</span>}
      </h2>
      {live.hosts.value.length > 0 && (
        <search class="finder">
          <HostFilter
            live={live}
            host={host}
            choose={(to) => {
              chosen.value = to;
            }}
          />
        </search>
      )}
      {agents === undefined && <p class="empty">{live.waitingWord.value}</p>}
      {agents?.length === 0 && <NoAgents workspace={live.workspace.value} />}
      <ul class="cards">
        {agents?.map((agent) => (
          <AgentCard key={agent.id} agent={agent} office={office} />
        ))}
      </ul>
    </section>
  );
}

function AgentCard({ agent, office: { live, awayHosts } }: { agent: Agent; office: Office }) {
  const { id, name, status, kind } = agent;
  const now = live.now.value;
  const host = live.hostOf(agent);
  const silent = awayHosts.value.get(host ?? "");
  const stale = staleSince(agent, now);
  const task = taskOf(agent.currentTask);
  const codename = textOf(agent.codename);
  const lastActive = moment(agent.lastActive);
  const place = [textOf(agent.role), textOf(agent.division)].filter(Boolean).join(" · ");
  return (
    <li
      class={stale === null && silent === undefined ? `card ${kind}` : `card ${kind} stale`}
      data-agent={id}
    >
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
        </span>{" "}
        <HostBadge live={live} host={host} since={silent} />
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
