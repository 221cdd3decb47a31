/** Who asks what, and what that makes of them: whoever waits for an answer waits, whatever else they say. */

import { isData } from "../client/protocol";
import type { Agent, FleetState, Question } from "../state";
import { moment } from "../words/age";
import { textOf } from "../words/agent-words";
import { isolated } from "../words/direction";

/** What an agent that waits for an answer is said to do. */
export const ASKS = "asks you";

/** The open ones, whoever has waited longest first. */
export function openQuestions(questions: readonly Question[]): readonly Question[] {
  return questions.filter(({ status }) => status === "open").sort(byAge);
}

/** Those that are over, the newest first. */
export function pastQuestions(questions: readonly Question[]): readonly Question[] {
  return questions.filter(({ status }) => status !== "open").sort((a, b) => b.event - a.event);
}

function byAge(one: Question, other: Question): number {
  return (moment(one.askedAt) ?? 0) - (moment(other.askedAt) ?? 0) || one.event - other.event;
}

/** The fleet as it is shown: agents that have asked something wait for the answer. */
export function withAskers(fleet: FleetState): FleetState {
  const asked = new Map<string, Question>();
  for (const question of openQuestions(fleet.questions).toReversed()) {
    if (question.agentId !== null) {
      asked.set(question.agentId, question);
    }
  }
  return asked.size === 0
    ? fleet
    : { ...fleet, agents: fleet.agents.map((agent) => waitingFor(agent, asked.get(agent.id))) };
}

function waitingFor(agent: Agent, question: Question | undefined): Agent {
  return question === undefined
    ? agent
    : { ...agent, kind: "waiting", status: ASKS, statusDetail: question.text, asks: question.id };
}

/** Where it is answered, if not here: a permission that only the terminal can give. */
export function elsewhere({ kind, options, details }: Question): string | null {
  return kind === "permission" && options.length === 0
    ? ((isData(details) ? textOf(details.note) : null) ?? "It is answered in the terminal.")
    : null;
}

/** What became of a question, in a sentence. */
export function outcomeOf(question: Question): string {
  if (question.status === "answered") {
    const by = textOf(question.answeredBy);
    return `${by === null ? "Answered" : `${isolated(by)} answered`}: ${isolated(String(question.answer))}`;
  }
  return REASONS.get(question.reason) ?? "Closed";
}

const REASONS: ReadonlyMap<unknown, string> = new Map([
  ["expired", "Its time was up"],
  ["withdrawn", "Withdrawn by whoever asked"],
  ["elsewhere", "Decided elsewhere"],
]);
