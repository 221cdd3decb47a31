/** A choice of one agent, or of all. */

import type { LiveFleet } from "../fleet/live";

interface AgentChoiceProps {
  readonly live: LiveFleet;
  /** The ids of those to choose from. */
  readonly agents: readonly string[];
  /** The agent's id, "" for all. */
  readonly value: string;
  readonly choose: (id: string) => void;
}

export function AgentChoice({ live, agents, value, choose }: AgentChoiceProps) {
  return (
    <label>
      <span class="unseen">Of agent</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">All agents</option>
        {agents.map((id) => (
          <option key={id} value={id}>
            {live.nameOf(id)}
          </option>
        ))}
      </select>
    </label>
  );
}
