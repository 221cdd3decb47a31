/** Token use: totals by agent, model, day and session, and the budget thresholds that were crossed. US dollars. */

import { type Data, isData, type LogEvent } from "../client/protocol";
import {
  MAX_AGENT_DAYS,
  MAX_AGENTS,
  MAX_DAYS,
  MAX_MODELS,
  MAX_RECORD_BYTES,
  MAX_SESSIONS,
  OTHER,
} from "./limits";
import {
  hasTotals,
  moveIn,
  noteIn,
  type Sums,
  type SumsByName,
  shared,
  sharesIn,
  sumsIn,
  type Use,
  type UseEntry,
  usesIn,
  withCounts,
  withDay,
  withMoved,
  withUse,
} from "./usage";
import {
  ANY_DAY,
  added,
  dataIn,
  type Fold,
  type Folds,
  idIn,
  inTextOrder,
  isDay,
  isId,
  lastDay,
  listIn,
  notNegative,
  numberIn,
  own,
  sizeOf,
  timeOf,
  wordIn,
} from "./values";

export type { Use } from "./usage";

export interface SessionUse extends Data {
  readonly id: string;
}

export interface TokenState {
  readonly agents: Readonly<Record<string, Use>>;
  readonly models: SumsByName;
  /** By day of the server's time zone, as in `2026-11-23`. */
  readonly days: SumsByName;
  /** Newest first. */
  readonly sessions: readonly SessionUse[];
  /** The last threshold that each agent, or the `fleet`, has crossed. */
  readonly thresholds: Readonly<Record<string, Data>>;
  readonly total: Use;
}

export const NO_TOKENS: TokenState = {
  agents: {},
  models: {},
  days: {},
  sessions: [],
  thresholds: {},
  total: { tokens: 0, cost: 0 },
};

const LEVELS: readonly unknown[] = ["critical", "warning", "info"];

export const TOKEN_FOLDS: Folds<TokenState> = new Map<string, Fold<TokenState>>([
  ["token:usage", foldUsage],
  ["token:threshold", foldThreshold],
  ["state:baseline", foldBaseline],
]);

export function tokensIn(told: unknown): TokenState {
  const { agents, models, days, sessions, thresholds } = dataIn(told);
  const names = Object.keys(dataIn(models)).sort(inTextOrder);
  return withTotal({
    agents: withAgents({}, agents, ANY_DAY),
    models: Object.fromEntries(
      names.slice(0, MAX_MODELS + 1).map((name) => [name, sharesIn(dataIn(models)[name])]),
    ),
    days: newest(
      Object.fromEntries(Object.entries(daysOf(days, ANY_DAY)).map(([day, sums]) => [day, sharesIn(sums)])),
      MAX_DAYS,
    ),
    sessions: sessionsIn(sessions).slice(0, MAX_SESSIONS),
    thresholds: Object.fromEntries(Object.entries(dataIn(thresholds)).filter(isRecord)),
  });
}

function foldUsage(state: TokenState, data: Data, event: LogEvent): TokenState {
  const agent = idIn(data.agent);
  const tokens = numberIn(data.tokens);
  const cost = numberIn(data.cost);
  if (agent === null || (tokens === null && cost === null)) {
    return state;
  }
  const updated = timeOf(data, event);
  const old = own(state.agents, agent);
  const session = data.session ?? null;
  let mine: Use = {
    ...old,
    tokens: tokens ?? old?.tokens ?? 0,
    cost: cost ?? old?.cost ?? 0,
    session: session === null ? (old?.session ?? null) : noteIn(session),
    updated,
  };
  const uses = usesIn(data, event);
  const move = moveIn(data);
  if (move !== null) {
    return foldMove(state, agent, mine, uses, move === "from");
  }
  mine = withUses(mine, uses);
  const agents = withRecord(state.agents, agent, mine);
  if (agents === null) {
    return state;
  }
  const add = (known: TokenState, use: UseEntry) => addUse(known, agent, use, updated, event.host);
  return withTotal(uses.reduce(add, { ...state, agents }));
}

/** An agent's sums with what it has used; its days are copied once, however many entries there are. */
function withUses(total: Use, uses: readonly UseEntry[]): Use {
  let mine = total;
  const days: Record<string, Sums> = { ...(dataIn(total.days) as SumsByName) };
  for (const use of uses) {
    mine = { ...mine, ...withCounts(mine, use) };
    if (use.day !== null) {
      set(days, use.day, withDay(dataIn(own(days, use.day)), use));
      dropOldest(days, MAX_AGENT_DAYS);
    }
  }
  return uses.some(({ day }) => day !== null) ? { ...mine, days } : mine;
}

/**
 * Put an agent's record with entries moved to it, or taken from it where they are negative. Sessions stay where they are
 * among those that were used last; `isOwner` says that they are this agent's now.
 */
function foldMove(
  state: TokenState,
  agent: string,
  total: Use,
  uses: readonly UseEntry[],
  isOwner: boolean,
): TokenState {
  let mine: Use = { ...total, tokens: notNegative(total.tokens), cost: notNegative(total.cost) };
  for (const use of uses) {
    mine = { ...mine, ...withMoved(mine, use) };
  }
  if (isData(mine.days)) {
    mine = { ...mine, days: newest(mine.days as SumsByName, MAX_AGENT_DAYS) };
  }
  const agents = withRecord(state.agents, agent, mine);
  if (agents === null) {
    return state;
  }
  const moved = new Set(isOwner ? uses.map(({ session }) => session) : []);
  const sessions = state.sessions.map((session) => (moved.has(session.id) ? { ...session, agent } : session));
  return withTotal({ ...state, agents, sessions });
}

function addUse(state: TokenState, agent: string, use: UseEntry, updated: string, host?: string): TokenState {
  let { models, days, sessions } = state;
  const { day, model, session, runtime } = use;
  if (day !== null) {
    const sums = shared(dataIn(own(days, day)), host, (known) => withDay(known, use));
    days = newest({ ...days, [day]: sums }, MAX_DAYS);
  }
  if (model !== null) {
    const name = Object.hasOwn(models, model) || Object.keys(models).length < MAX_MODELS ? model : OTHER;
    models = {
      ...models,
      [name]: shared(dataIn(own(models, name)), host, (known) => withUse(known, use)),
    };
  }
  if (session !== null) {
    const sums = withUse(dataIn(sessions.find(({ id }) => id === session)), use);
    const now = { ...sums, id: session, agent, model, runtime, updated };
    sessions = [now, ...sessions.filter(({ id }) => id !== session)].slice(0, MAX_SESSIONS);
  }
  return { ...state, models, days, sessions };
}

function foldThreshold(state: TokenState, data: Data, event: LogEvent): TokenState {
  const agent = idIn(data.agent);
  if (agent === null || !LEVELS.includes(data.alert)) {
    return state;
  }
  const period = wordIn(data.period);
  const crossed = {
    alert: data.alert,
    currentCost: numberIn(data.currentCost),
    threshold: numberIn(data.threshold),
    percentUsed: numberIn(data.percentUsed),
    updated: timeOf(data, event),
    ...(period === null ? {} : { period }),
  };
  const thresholds = withRecord<Data>(state.thresholds, agent, crossed);
  return thresholds === null ? state : { ...state, thresholds };
}

function foldBaseline(state: TokenState, data: Data, event: LogEvent): TokenState {
  const { tokens } = data;
  if (!isData(tokens)) {
    return state;
  }
  const last = lastDay(event);
  const sessions = sessionsIn(tokens.sessions);
  const found = new Set(sessions.map(({ id }) => id));
  return withTotal({
    ...state,
    agents: withAgents(state.agents, tokens.agents, last),
    models: withShares(state.models, tokens.models, event.host, MAX_MODELS),
    days: newest(
      withShares(state.days, daysOf(tokens.days, last), event.host, Number.POSITIVE_INFINITY),
      MAX_DAYS,
    ),
    sessions: [...sessions, ...state.sessions.filter(({ id }) => !found.has(id))].slice(0, MAX_SESSIONS),
  });
}

/** The records with one more, or another one in its place; null where it is one too many, or too large. */
function withRecord<Kind>(
  records: Readonly<Record<string, Kind>>,
  name: string,
  record: Kind,
): Readonly<Record<string, Kind>> | null {
  const full = !Object.hasOwn(records, name) && Object.keys(records).length >= MAX_AGENTS;
  return full || sizeOf(record) > MAX_RECORD_BYTES ? null : { ...records, [name]: record };
}

function withAgents(
  known: Readonly<Record<string, Use>>,
  found: unknown,
  last: string,
): Readonly<Record<string, Use>> {
  const agents: Record<string, Use> = { ...known };
  let count = Object.keys(agents).length;
  for (const [name, record] of Object.entries(dataIn(found))) {
    if (isId(name) && hasTotals(record)) {
      const agent = agentIn(dataIn(record), last);
      const isNew = !Object.hasOwn(agents, name);
      if (!(isNew && count >= MAX_AGENTS) && sizeOf(agent) <= MAX_RECORD_BYTES) {
        count += isNew ? 1 : 0;
        set(agents, name, agent);
      }
    }
  }
  return agents;
}

function agentIn(record: Data, last: string): Use {
  const updated = wordIn(record.updated);
  const { days } = record;
  return {
    ...sumsIn(record),
    ...("session" in record ? { session: noteIn(record.session) } : {}),
    ...(updated === null ? {} : { updated }),
    ...(isData(days) ? { days: daysIn(days, last) } : {}),
  } as Use;
}

function daysIn(days: Data, last: string): SumsByName {
  const known = Object.entries(daysOf(days, last));
  return newest(Object.fromEntries(known.map(([day, sums]) => [day, sumsIn(sums)])), MAX_AGENT_DAYS);
}

/** What a record says of days, without what is under no day's name. */
function daysOf(record: unknown, last: string): Data {
  return Object.fromEntries(Object.entries(dataIn(record)).filter(([day]) => isDay(day, last)));
}

/** The sessions of a list, newest first; of several with one id the first counts. */
function sessionsIn(value: unknown): SessionUse[] {
  const sessions = new Map<string, SessionUse>();
  for (const one of listIn(value)) {
    const id = isData(one) ? idIn(one.id) : null;
    if (isData(one) && id !== null && !sessions.has(id)) {
      sessions.set(id, sessionIn(id, one));
    }
  }
  return [...sessions.values()];
}

function sessionIn(id: string, record: Data): SessionUse {
  const updated = wordIn(record.updated);
  return {
    ...sumsIn(record),
    id,
    ...("agent" in record ? { agent: idIn(record.agent) } : {}),
    ...("model" in record ? { model: idIn(record.model) } : {}),
    ...("runtime" in record ? { runtime: wordIn(record.runtime) } : {}),
    ...(updated === null ? {} : { updated }),
  };
}

/** Sums are made in the order of names, so that the same numbers give the same sum. */
function withTotal(state: Omit<TokenState, "total">): TokenState {
  const total = { tokens: 0, cost: 0 };
  for (const name of Object.keys(state.agents).sort(inTextOrder)) {
    total.tokens = added(total.tokens, own(state.agents, name)?.tokens ?? 0);
    total.cost = added(total.cost, own(state.agents, name)?.cost ?? 0);
  }
  return { ...state, total };
}

function withShares(sums: SumsByName, found: unknown, host: string | undefined, most: number): SumsByName {
  const changed: Record<string, Sums> = { ...sums };
  for (const [name, record] of Object.entries(dataIn(found))) {
    const fits = Object.hasOwn(changed, name) || Object.keys(changed).length < most;
    if (isId(name) && hasTotals(record) && fits) {
      set(
        changed,
        name,
        shared(dataIn(own(changed, name)), host, () => sumsIn(record)),
      );
    }
  }
  return changed;
}

/** Set a field whose name anyone may choose: `__proto__` is a field like the others. */
function set<Value>(record: Record<string, Value>, name: string, value: Value): void {
  Object.defineProperty(record, name, { value, configurable: true, enumerable: true, writable: true });
}

function newest(days: SumsByName, most: number): SumsByName {
  const names = Object.keys(days);
  if (names.length <= most) {
    return days;
  }
  names.sort(inTextOrder);
  return Object.fromEntries(names.slice(-most).map((day) => [day, dataIn(days[day])]));
}

/** Take the oldest day out where there is one too many. */
function dropOldest(days: Record<string, Sums>, most: number): void {
  const names = Object.keys(days);
  if (names.length > most) {
    delete days[names.reduce((one, other) => (other < one ? other : one))];
  }
}

function isRecord(entry: [string, unknown]): entry is [string, Data] {
  return isData(entry[1]);
}
