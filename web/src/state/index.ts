/**
 * The state of the fleet: a snapshot, and the events after it folded in. Pure: nothing is changed in place.
 *
 * The server's fold is the reference; `spec/fold.json` holds both to the same results.
 */

import type { LogEvent, Snapshot } from "../client/protocol";
import { AGENT_FOLDS, type Agent, agentsIn } from "./agents";
import { MAX_DEPTH } from "./limits";
import { QUESTION_FOLDS, type Question, questionsIn } from "./questions";
import { STANDUP_FOLDS, type Standup, standupsIn } from "./standups";
import { SYSTEM_FOLDS, type SystemState, systemIn } from "./system";
import { byId, type Item, inOrder, itemsIn, LEAD_FOLDS, TASK_FOLDS, type TableFold } from "./tables";
import { NO_TOKENS, TOKEN_FOLDS, type TokenState, tokensIn } from "./tokens";
import { deeperThan } from "./values";

export type { Agent } from "./agents";
export type { Question, QuestionKind, QuestionStatus } from "./questions";
export type { Standup } from "./standups";
export type { Alert, AlertLevel, SystemState } from "./system";
export type { Item } from "./tables";
export type { TokenState } from "./tokens";

export interface FleetState {
  /** The last event that is folded in. */
  readonly id: number;
  /** In the order of their ids, as tasks and leads are. */
  readonly agents: readonly Agent[];
  readonly tasks: readonly Item[];
  readonly tokens: TokenState;
  readonly leads: readonly Item[];
  readonly system: SystemState;
  /** In the order of their ids. */
  readonly questions: readonly Question[];
  /** Newest first. */
  readonly standups: readonly Standup[];
}

export const EMPTY_STATE: FleetState = {
  id: 0,
  agents: [],
  tasks: [],
  tokens: NO_TOKENS,
  leads: [],
  system: { gateway: null, alerts: [] },
  questions: [],
  standups: [],
};

export function stateFromSnapshot({ state, cursor }: Snapshot): FleetState {
  return {
    id: cursor.id,
    agents: agentsIn(state.agents),
    tasks: itemsIn("task", state.tasks),
    tokens: tokensIn(state.tokens),
    leads: itemsIn("lead", state.leads),
    system: systemIn(state.system),
    questions: questionsIn(state.questions),
    standups: standupsIn(state.standups),
  };
}

/** Fold events in; those that the state has in it already are passed over. Parts that do not change stay the same. */
export function foldEvents(state: FleetState, events: readonly LogEvent[]): FleetState {
  const fresh = freshEvents(state.id, events);
  const shallow = fresh.filter(({ data }) => !deeperThan(data, MAX_DEPTH));
  let { tokens, system, standups } = state;
  for (const event of shallow) {
    tokens = TOKEN_FOLDS.get(event.type)?.(tokens, event.data, event) ?? tokens;
    system = SYSTEM_FOLDS.get(event.type)?.(system, event.data, event) ?? system;
    standups = STANDUP_FOLDS.get(event.type)?.(standups, event.data, event) ?? standups;
  }
  return {
    id: fresh.at(-1)?.id ?? state.id,
    agents: foldTable(state.agents, AGENT_FOLDS, shallow),
    tasks: foldTable(state.tasks, TASK_FOLDS, shallow),
    tokens,
    leads: foldTable(state.leads, LEAD_FOLDS, shallow),
    system,
    questions: foldTable(state.questions, QUESTION_FOLDS, shallow),
    standups,
  };
}

function freshEvents(after: number, events: readonly LogEvent[]): LogEvent[] {
  let last = after;
  return events.filter(({ id }) => {
    const fresh = id > last;
    last = Math.max(last, id);
    return fresh;
  });
}

function foldTable<Kind extends Item>(
  records: readonly Kind[],
  folds: ReadonlyMap<string, TableFold<Kind>>,
  events: readonly LogEvent[],
): readonly Kind[] {
  const told = events.filter(({ type }) => folds.has(type));
  if (told.length === 0) {
    return records;
  }
  const changed = byId(records);
  for (const event of told) {
    folds.get(event.type)?.(changed, event.data, event);
  }
  return inOrder(changed);
}
