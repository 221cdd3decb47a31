/** What needs a person, and where to see it. The sentence and the bell count the same. */

import type { Data } from "../client/protocol";
import { pathOfAgent } from "../page/route";
import type { Agent, Alert, Question } from "../state";
import { taskOf, textOf } from "../words/agent-words";
import { isolated } from "../words/direction";
import type { NameOf } from "./sentences";

export interface Need {
  readonly key: string;
  readonly level: "critical" | "warning";
  readonly subject: string;
  readonly text: string;
  readonly since: string | null;
  /** Where it can be seen; null where this is all there is. */
  readonly path: string | null;
  /** Where it is; null where there is but one place. */
  readonly host: string | null;
}

/** The worst first, then questions, of all hosts in one list; `alerts` are those that nobody has dismissed. */
export function needsOf(
  agents: readonly Agent[],
  alerts: readonly Alert[],
  questions: readonly Question[] = [],
  nameOf: NameOf = (id) => id,
  hostOf: (record: Data) => string | null = () => null,
): readonly Need[] {
  const needs = [
    ...questions.map((question) => ({ ...questionNeed(question, nameOf), host: hostOf(question) })),
    ...alerts
      .filter(({ level }) => level !== "info")
      .map((alert) => ({ ...alertNeed(alert), host: hostOf(alert) })),
    // Whoever asks something stands there with the question.
    ...agents
      .filter((agent) => needsPerson(agent) && agent.asks === undefined)
      .map((agent) => ({ ...agentNeed(agent), host: hostOf(agent) })),
  ];
  return [
    ...needs.filter(({ level }) => level === "critical"),
    ...needs.filter(({ level }) => level === "warning"),
  ];
}

/** Whether somebody waits for a person, or has come to grief. */
export function needsPerson({ kind }: Agent): boolean {
  return kind === "waiting" || kind === "error";
}

function questionNeed({ id, text, agentId, askedAt }: Question, nameOf: NameOf): Omit<Need, "host"> {
  return {
    key: `question-${id}`,
    level: "warning",
    subject: agentId === null ? "A question" : nameOf(agentId),
    text: agentId === null ? isolated(text) : `asks: ${isolated(text)}`,
    since: askedAt,
    path: "/questions",
  };
}

function alertNeed({ id, level, message, timestamp }: Alert): Omit<Need, "host"> {
  return {
    key: `alert-${id}`,
    level: level === "critical" ? "critical" : "warning",
    subject: level === "critical" ? "Critical:" : "Warning:",
    text: message,
    since: timestamp,
    path: null,
  };
}

function agentNeed(agent: Agent): Omit<Need, "host"> {
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
