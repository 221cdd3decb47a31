/** What needs a person, and where to see it. The sentence and the bell count the same. */

import type { Agent, Alert } from "../client/state";
import { taskOf, textOf } from "./agent-words";
import { isolated } from "./direction";
import { pathOfAgent } from "./route";

export interface Need {
  readonly key: string;
  readonly level: "critical" | "warning";
  readonly subject: string;
  readonly text: string;
  readonly since: string | null;
  /** Where it can be seen; null where this is all there is. */
  readonly path: string | null;
}

/** The worst first; `alerts` are those that nobody has dismissed. */
export function needsOf(agents: readonly Agent[], alerts: readonly Alert[]): readonly Need[] {
  const needs = [
    ...alerts.filter(({ level }) => level !== "info").map(alertNeed),
    ...agents.filter(({ kind }) => kind === "waiting" || kind === "error").map(agentNeed),
  ];
  return [
    ...needs.filter(({ level }) => level === "critical"),
    ...needs.filter(({ level }) => level === "warning"),
  ];
}

function alertNeed({ id, level, message, timestamp }: Alert): Need {
  return {
    key: `alert-${id}`,
    level: level === "critical" ? "critical" : "warning",
    subject: level === "critical" ? "Critical:" : "Warning:",
    text: message,
    since: timestamp,
    path: null,
  };
}

function agentNeed(agent: Agent): Need {
  const failed = agent.kind === "error";
  const task = taskOf(agent.currentTask);
  const detail = textOf(agent.statusDetail);
  return {
    key: `agent-${agent.id}`,
    level: failed ? "critical" : "warning",
    subject: agent.name,
    text: [`${failed ? "has an error" : "waits"} (${isolated(agent.status)})`, detail, task]
      .flatMap((part) => (part === null ? [] : isolated(part)))
      .join(": "),
    since: textOf(agent.confirmed),
    path: pathOfAgent(agent.id),
  };
}
