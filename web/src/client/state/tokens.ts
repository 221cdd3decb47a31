/** Token use: totals by agent, model, day and session, and the budget thresholds that were crossed. US dollars. */

import { type Data, isData, type LogEvent } from "../protocol";
import { dataIn, type Fold, type Folds, idIn, listIn, numberIn, textIn, timeOf } from "./values";

/** Sums of tokens and cost; further fields say what the tokens were and where their cost comes from. */
export interface Use extends Data {
  readonly tokens: number;
  readonly cost: number;
}

export interface SessionUse extends Data {
  readonly id: string;
}

export interface TokenState {
  readonly agents: Readonly<Record<string, Use>>;
  readonly models: Readonly<Record<string, Data>>;
  /** By day of the server's time zone, as in `2026-11-23`. */
  readonly days: Readonly<Record<string, Data>>;
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

const MAX_SESSIONS = 200;
const MAX_DAYS = 400;
const MAX_AGENT_DAYS = 100;
const COUNTS = ["input", "output", "cacheRead", "cacheWrite", "calls"] as const;
const LEVELS: readonly unknown[] = ["critical", "warning", "info"];

export const TOKEN_FOLDS: Folds<TokenState> = new Map<string, Fold<TokenState>>([
  ["token:usage", foldUsage],
  ["token:threshold", foldThreshold],
  ["state:baseline", foldBaseline],
]);

export function tokensIn(told: unknown): TokenState {
  const { agents, models, days, sessions, thresholds } = dataIn(told);
  return withTotal({
    agents: usesIn(agents),
    models: usesIn(models),
    days: usesIn(days),
    sessions: listIn(sessions).filter(isSession),
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
  const time = timeOf(data, event);
  const old = state.agents[agent];
  let mine: Use = {
    ...old,
    tokens: tokens ?? old?.tokens ?? 0,
    cost: cost ?? old?.cost ?? 0,
    session: "session" in data ? data.session : (old?.session ?? null),
    updated: time,
  };
  let { models, days, sessions } = state;
  for (const use of listIn(dataIn(data.delta).uses).filter(isData)) {
    mine = { ...mine, ...counted(mine, use) };
    const day = textIn(use.day);
    if (day !== null) {
      const byDay = dataIn(mine.days);
      mine = { ...mine, days: newest({ ...byDay, [day]: summed(dataIn(byDay[day]), use) }, MAX_AGENT_DAYS) };
      const shared = share(dataIn(days[day]), event.host, (known) => summed(known, use));
      days = newest({ ...days, [day]: shared }, MAX_DAYS);
    }
    const model = textIn(use.model);
    if (model !== null) {
      const shared = share(dataIn(models[model]), event.host, (known) => ({
        ...known,
        ...summed(known, use),
        ...counted(known, use),
      }));
      models = { ...models, [model]: shared };
    }
    const session = idIn(use.session);
    if (session !== null) {
      const known = dataIn(sessions.find(({ id }) => id === session));
      const runtime = textIn(use.runtime);
      const sums = { ...summed(known, use), ...counted(known, use) };
      const now = { ...sums, id: session, agent, model, runtime, updated: time };
      sessions = [now, ...sessions.filter(({ id }) => id !== session)].slice(0, MAX_SESSIONS);
    }
  }
  return withTotal({ ...state, models, days, sessions, agents: { ...state.agents, [agent]: mine } });
}

function foldThreshold(state: TokenState, data: Data, event: LogEvent): TokenState {
  const agent = idIn(data.agent);
  if (agent === null || !LEVELS.includes(data.alert)) {
    return state;
  }
  const period = textIn(data.period);
  const crossed = {
    alert: data.alert,
    currentCost: numberIn(data.currentCost),
    threshold: numberIn(data.threshold),
    percentUsed: numberIn(data.percentUsed),
    updated: timeOf(data, event),
    ...(period === null ? {} : { period }),
  };
  return { ...state, thresholds: { ...state.thresholds, [agent]: crossed } };
}

function foldBaseline(state: TokenState, data: Data, event: LogEvent): TokenState {
  const { tokens } = data;
  if (!isData(tokens)) {
    return state;
  }
  const sessions = listIn(tokens.sessions).filter(isSession);
  const told = new Set(sessions.map(({ id }) => id));
  return withTotal({
    ...state,
    agents: { ...state.agents, ...usesIn(tokens.agents) },
    models: withShares(state.models, usesIn(tokens.models), event.host),
    days: withShares(state.days, usesIn(tokens.days), event.host),
    sessions: [...sessions, ...state.sessions.filter(({ id }) => !told.has(id))].slice(0, MAX_SESSIONS),
  });
}

/** Sums are made in the order of names, so that the same numbers give the same sum. */
function withTotal(state: Omit<TokenState, "total">): TokenState {
  const total = { tokens: 0, cost: 0 };
  for (const name of Object.keys(state.agents).sort()) {
    total.tokens += state.agents[name]?.tokens ?? 0;
    total.cost += state.agents[name]?.cost ?? 0;
  }
  return { ...state, total };
}

function withShares(
  sums: Readonly<Record<string, Data>>,
  told: Readonly<Record<string, Use>>,
  host: string | undefined,
): Readonly<Record<string, Data>> {
  const changed = Object.entries(told).map(([name, use]) => [
    name,
    share(dataIn(sums[name]), host, () => use),
  ]);
  return { ...sums, ...Object.fromEntries(changed) };
}

/**
 * Change one host's share of a sum; without hosts the sum itself. `hosts` has the shares, so that what a host tells of
 * all it has used replaces what it told before.
 */
function share(total: Data, host: string | undefined, make: (known: Data) => Data): Data {
  if (host === undefined) {
    return make(total);
  }
  const known = dataIn(total.hosts);
  const hosts: Data = { ...known, [host]: make(dataIn(known[host])) };
  const sums = Object.keys(hosts)
    .sort()
    .reduce<Data>((sum, name) => together(sum, dataIn(hosts[name])), {});
  return { ...sums, hosts };
}

function together(one: Data, other: Data): Data {
  const sums: Record<string, unknown> = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const number = numberIn(value);
    if (isData(value)) {
      sums[name] = together(dataIn(one[name]), value);
    } else if (number !== null) {
      sums[name] = (numberIn(one[name]) ?? 0) + number;
    } else {
      sums[name] = value;
    }
  }
  return sums;
}

function summed(total: Data, use: Data): Data {
  const sum = (name: string) => (numberIn(total[name]) ?? 0) + (numberIn(use[name]) ?? 0);
  return { tokens: sum("tokens"), cost: sum("cost"), calls: sum("calls") };
}

/** Say what the tokens were, and where their cost comes from. */
function counted(total: Data, use: Data): Data {
  const sums: Record<string, unknown> = {};
  for (const name of COUNTS) {
    sums[name] = (numberIn(total[name]) ?? 0) + (numberIn(use[name]) ?? 0);
  }
  const source = use.costSource;
  const costs = dataIn(total.costs);
  const unpriced = { tokens: 0, calls: 0, ...dataIn(total.unpriced) };
  if (source === "transcript" || source === "telemetry" || source === "prices") {
    const cost = (numberIn(costs[source]) ?? 0) + (numberIn(use.cost) ?? 0);
    return { ...sums, costs: { ...costs, [source]: cost }, unpriced };
  }
  return {
    ...sums,
    costs,
    unpriced: {
      tokens: unpriced.tokens + (numberIn(use.tokens) ?? 0),
      calls: unpriced.calls + (numberIn(use.calls) ?? 0),
    },
  };
}

function newest(days: Data, most: number): Readonly<Record<string, Data>> {
  const names = Object.keys(days).sort();
  return Object.fromEntries(names.slice(-most).map((day) => [day, dataIn(days[day])]));
}

function usesIn(told: unknown): Readonly<Record<string, Use>> {
  return Object.fromEntries(Object.entries(dataIn(told)).filter(isUse));
}

function isUse(entry: [string, unknown]): entry is [string, Use] {
  const [, use] = entry;
  return isData(use) && numberIn(use.tokens) !== null && numberIn(use.cost) !== null;
}

function isRecord(entry: [string, unknown]): entry is [string, Data] {
  return isData(entry[1]);
}

function isSession(value: unknown): value is SessionUse {
  return isData(value) && textIn(value.id) !== null;
}
