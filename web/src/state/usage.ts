/** Sums of token use, and what is read into them, cleaned of everything that does not belong there. */

import { type Data, isData, type LogEvent } from "../client/protocol";
import { MAX_HOSTS, MAX_NOTE_BYTES } from "./limits";
import {
  added,
  dataIn,
  dayIn,
  idIn,
  inTextOrder,
  lastDay,
  listIn,
  notNegative,
  numberIn,
  own,
  sizeOf,
  wordIn,
} from "./values";

/** Sums of tokens and cost; further fields say what the tokens were and where their cost comes from. */
export interface Use extends Data {
  readonly tokens: number;
  readonly cost: number;
}

export type Sums = Readonly<Record<string, unknown>>;
export type SumsByName = Readonly<Record<string, Sums>>;

/** One entry of `delta.uses`; a figure that is missing or no number is 0. */
export interface UseEntry {
  readonly tokens: number;
  readonly cost: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly source: string | null;
  readonly day: string | null;
  readonly model: string | null;
  readonly session: string | null;
  readonly runtime: string | null;
}

const COUNTS = ["input", "output", "cacheRead", "cacheWrite", "calls"] as const;
const FIGURES = ["tokens", "cost", ...COUNTS] as const;
const COST_SOURCES = ["transcript", "telemetry", "prices", "subscription"] as const;

export function usesIn(data: Data, event: LogEvent): UseEntry[] {
  const last = lastDay(event);
  return listIn(dataIn(data.delta).uses)
    .filter(isData)
    .map((entry) => readUse(entry, last));
}

function readUse(entry: Data, last: string): UseEntry {
  return {
    tokens: numberIn(entry.tokens) ?? 0,
    cost: numberIn(entry.cost) ?? 0,
    counts: Object.fromEntries(COUNTS.map((name) => [name, numberIn(entry[name]) ?? 0])),
    source: COST_SOURCES.find((source) => source === entry.costSource) ?? null,
    day: dayIn(entry.day, last),
    model: typeof entry.model === "string" ? idIn(entry.model) : null,
    session: idIn(entry.session),
    runtime: wordIn(entry.runtime),
  };
}

/**
 * Whether `delta` is what went to another agent, or came from one: nothing was used then, and the fleet's sums stay.
 * Null where it is what was used.
 */
export function moveIn(data: Data): "to" | "from" | null {
  const { movedTo, movedFrom } = dataIn(data.delta);
  if (idIn(movedFrom) !== null) {
    return "from";
  }
  return idIn(movedTo) === null ? null : "to";
}

export function sumsIn(value: unknown): Sums {
  const record = dataIn(value);
  const sums: Record<string, unknown> = {};
  for (const name of FIGURES) {
    const number = numberIn(own(record, name));
    if (number !== null) {
      sums[name] = number;
    }
  }
  const { costs, unpriced } = record;
  if (isData(costs)) {
    const known = COST_SOURCES.map((source) => [source, numberIn(own(costs, source))] as const);
    sums.costs = Object.fromEntries(known.filter(([, number]) => number !== null));
  }
  if (isData(unpriced)) {
    sums.unpriced = { tokens: numberIn(unpriced.tokens) ?? 0, calls: numberIn(unpriced.calls) ?? 0 };
  }
  return sums;
}

export function sharesIn(value: unknown): Sums {
  const sums = sumsIn(value);
  const { hosts } = dataIn(value);
  if (!isData(hosts)) {
    return sums;
  }
  const names = Object.keys(hosts).sort(inTextOrder).slice(0, MAX_HOSTS);
  return { ...sums, hosts: Object.fromEntries(names.map((name) => [name, sumsIn(hosts[name])])) };
}

export function hasTotals(value: unknown): boolean {
  return isData(value) && numberIn(value.tokens) !== null && numberIn(value.cost) !== null;
}

/** What an agent says about its session; null where that is too large to be kept. */
export function noteIn(value: unknown): unknown {
  return sizeOf(value) <= MAX_NOTE_BYTES ? value : null;
}

export function withDay(total: Sums, use: UseEntry): Sums {
  return {
    tokens: added(numberIn(total.tokens) ?? 0, use.tokens),
    cost: added(numberIn(total.cost) ?? 0, use.cost),
    calls: added(numberIn(total.calls) ?? 0, use.counts.calls ?? 0),
  };
}

export function withUse(total: Sums, use: UseEntry): Sums {
  return { ...withDay(total, use), ...withCounts(total, use) };
}

/** Say what the tokens were, and where their cost comes from. */
export function withCounts(total: Sums, use: UseEntry): Sums {
  const counts = COUNTS.map((name) => [name, added(numberIn(total[name]) ?? 0, use.counts[name] ?? 0)]);
  const costs = dataIn(total.costs);
  const unpriced = { tokens: 0, calls: 0, ...dataIn(total.unpriced) };
  const { source } = use;
  return {
    ...Object.fromEntries(counts),
    costs: source === null ? costs : { ...costs, [source]: added(numberIn(costs[source]) ?? 0, use.cost) },
    unpriced:
      source === null
        ? {
            tokens: added(unpriced.tokens, use.tokens),
            calls: added(unpriced.calls, use.counts.calls ?? 0),
          }
        : unpriced,
  };
}

/** An agent's sums with a use that was moved added, or taken from them: nothing is ever below 0. */
export function withMoved(total: Sums, use: UseEntry): Sums {
  const sums = sumsNotNegative({ ...total, ...withCounts(total, use) });
  const days = dataIn(sums.days) as SumsByName;
  const brings = use.tokens > 0 || use.cost > 0 || (use.counts.calls ?? 0) > 0;
  // A day that is not kept any more has nothing that could be taken from it.
  if (use.day === null || !(Object.hasOwn(days, use.day) || brings)) {
    return sums;
  }
  const day = sumsNotNegative(withDay(dataIn(own(days, use.day)), use));
  const isEmpty = Object.values(day).every((figure) => figure === 0);
  const others = Object.entries(days).filter(([name]) => name !== use.day);
  return { ...sums, days: Object.fromEntries(isEmpty ? others : [...others, [use.day, day]]) };
}

function sumsNotNegative(sums: Sums): Sums {
  const figures = FIGURES.filter((name) => name in sums).map((name) => [name, figureNotNegative(sums[name])]);
  const parts = (["costs", "unpriced"] as const)
    .filter((name) => name in sums)
    .map((name) => [
      name,
      Object.fromEntries(
        Object.entries(dataIn(sums[name])).map(([key, value]) => [key, figureNotNegative(value)]),
      ),
    ]);
  return { ...sums, ...Object.fromEntries(figures), ...Object.fromEntries(parts) };
}

function figureNotNegative(value: unknown): number {
  return notNegative(numberIn(value) ?? 0);
}

/**
 * Change one host's share of a sum; without hosts the sum itself. `hosts` has the shares, so that what a host says of
 * all it has used replaces what it said before.
 */
export function shared(total: Sums, host: string | undefined, make: (known: Sums) => Sums): Sums {
  if (host === undefined) {
    return make(total);
  }
  const known = dataIn(total.hosts);
  if (!Object.hasOwn(known, host) && Object.keys(known).length >= MAX_HOSTS) {
    return total;
  }
  const hosts: Data = { ...known, [host]: make(dataIn(own(known, host))) };
  const sums = Object.keys(hosts)
    .sort(inTextOrder)
    .reduce<Sums>((sum, name) => together(sum, dataIn(hosts[name])), {});
  return { ...sums, hosts };
}

function together(one: Sums, other: Sums): Sums {
  const sums: Record<string, unknown> = { ...one };
  for (const [name, value] of Object.entries(other)) {
    sums[name] = isData(value)
      ? { ...dataIn(sums[name]), ...sumOfEach(dataIn(sums[name]), value) }
      : added(numberIn(sums[name]) ?? 0, numberIn(value) ?? 0);
  }
  return sums;
}

function sumOfEach(one: Data, other: Data): Data {
  return Object.fromEntries(
    Object.entries(other).map(([name, value]) => [
      name,
      added(numberIn(one[name]) ?? 0, numberIn(value) ?? 0),
    ]),
  );
}
