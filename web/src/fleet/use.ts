/** Token use as rows: of whom, how much, and where each figure comes from. */

import { type Data, isData } from "../client/protocol";

export interface UseRow {
  readonly id: string;
  readonly tokens: number;
  readonly cost: number;
  readonly calls: number;
  readonly input: number;
  readonly output: number;
  readonly cached: number;
  readonly sources: readonly string[];
  readonly unpricedTokens: number;
  /** Further fields, for columns that only some tables have. */
  readonly record: Data;
}

const SOURCE_WORDS: ReadonlyMap<string, string> = new Map([
  ["transcript", "stated in the transcript"],
  ["telemetry", "stated by telemetry"],
  ["prices", "price table"],
  ["subscription", "subscription, at the price table's prices"],
]);

export function useRow(id: string, record: Data): UseRow {
  const unpriced = isData(record.unpriced) ? record.unpriced : {};
  return {
    id,
    tokens: number(record.tokens),
    cost: number(record.cost),
    calls: number(record.calls),
    input: number(record.input),
    output: number(record.output),
    cached: number(record.cacheRead) + number(record.cacheWrite),
    sources: sourcesOf(record),
    unpricedTokens: number(unpriced.tokens),
    record,
  };
}

/** The most expensive first, then the largest. */
export function useRows(records: Readonly<Record<string, Data>>): readonly UseRow[] {
  return Object.entries(records)
    .map(([id, record]) => useRow(id, record))
    .sort((a, b) => b.cost - a.cost || b.tokens - a.tokens || (a.id < b.id ? -1 : 1));
}

/** Where the cost comes from, in words. */
export function sourcesOf(record: Data): readonly string[] {
  const costs = isData(record.costs) ? record.costs : {};
  const named = Object.keys(costs).map((source) => SOURCE_WORDS.get(source) ?? source);
  const unpriced = isData(record.unpriced) ? number(record.unpriced.tokens) : 0;
  return unpriced > 0 ? [...named, "partly without a price"] : named;
}

export interface DayUse {
  readonly day: string;
  readonly tokens: number;
  readonly cost: number;
}

/** The last days up to today, also those on which nothing was used: a gap in a chart would hide them. */
export function lastDays(days: Data, today: string, count: number): readonly DayUse[] {
  const end = Date.parse(`${today}T00:00:00Z`);
  return Array.from({ length: count }, (_, place) => {
    const day = new Date(end - (count - 1 - place) * 86_400_000).toISOString().slice(0, 10);
    const use = days[day];
    return { day, tokens: isData(use) ? number(use.tokens) : 0, cost: isData(use) ? number(use.cost) : 0 };
  });
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
