/** Scored leads in numbers: tiers, averages, filters, and all of it as CSV. */

import { type Choices, choicesIn } from "../../page/address-query";
import { textOf } from "../../words/agent-words";
import { contactOf, type Lead } from "./lead";

export const TIERS = ["P0", "P1", "P2", "P3"] as const;

export interface LeadFilter {
  /** Words that all have to occur. */
  readonly text: string;
  /** Empty for all. */
  readonly tier: string;
  readonly region: string;
  readonly industry: string;
  readonly leastScore: number;
}

const FILTERS = ["q", "tier", "region", "industry", "score"];

export const NO_FILTER: LeadFilter = { text: "", tier: "", region: "", industry: "", leastScore: 0 };

/** The filter that an address has in its query. */
export function filterIn(search: string): LeadFilter {
  const { q = "", tier = "", region = "", industry = "", score = "" } = choicesIn(search, FILTERS);
  const least = Number(score);
  const filter = { text: q, tier, region, industry, leastScore: Number.isFinite(least) ? least : 0 };
  return Object.values(filter).some(Boolean) ? filter : NO_FILTER;
}

/** A filter as its address has it. */
export function choicesOfFilter({ text, tier, region, industry, leastScore }: LeadFilter): Choices {
  return { q: text, tier, region, industry, score: leastScore > 0 ? String(leastScore) : "" };
}

export function tierOf({ record }: Lead): string | null {
  return textOf(record.priorityTier) ?? textOf(record.priority) ?? textOf(record.tier);
}

export function filtered(leads: readonly Lead[], filter: LeadFilter): readonly Lead[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return leads.filter(
    (lead) =>
      words.every((word) => lead.words.includes(word)) &&
      (filter.tier === "" || tierOf(lead) === filter.tier) &&
      (filter.region === "" || lead.record.region === filter.region) &&
      (filter.industry === "" || lead.record.industry === filter.industry) &&
      (filter.leastScore <= 0 || (lead.score ?? 0) >= filter.leastScore),
  );
}

/** The different texts that leads have in a field, in the order of the alphabet. */
export function choicesOf(leads: readonly Lead[], field: "region" | "industry"): readonly string[] {
  return [...new Set(leads.flatMap(({ record }) => textOf(record[field]) ?? []))].sort();
}

export interface Scoring {
  readonly tiers: ReadonlyMap<string, number>;
  /** Of those that have a score; null where none has. */
  readonly average: number | null;
  /** The average of each category that leads are scored by, the highest first. */
  readonly categories: readonly { readonly name: string; readonly average: number }[];
}

/** Whether a lead has what only a file of scores says; the server counts by the same rule. */
function isScored({ record }: Lead): boolean {
  return "totalScore" in record || "breakdown" in record || "priorityTier" in record;
}

/** Sum up the leads that were scored, where any was; all of them else. */
export function scoringOf(all: readonly Lead[]): Scoring {
  const scored = all.filter(isScored);
  const leads = scored.length > 0 ? scored : all;
  const tiers = new Map<string, number>(TIERS.map((tier) => [tier, 0]));
  const sums = new Map<string, { sum: number; count: number }>();
  for (const lead of leads) {
    const tier = tierOf(lead);
    if (tier !== null && tiers.has(tier)) {
      tiers.set(tier, (tiers.get(tier) ?? 0) + 1);
    }
    for (const { name, value } of lead.factors) {
      if (value !== null) {
        const { sum, count } = sums.get(name) ?? { sum: 0, count: 0 };
        sums.set(name, { sum: sum + value, count: count + 1 });
      }
    }
  }
  const scores = leads.flatMap(({ score }) => score ?? []);
  const average = scores.length > 0 ? scores.reduce((sum, score) => sum + score, 0) / scores.length : null;
  const categories = [...sums]
    .map(([name, { sum, count }]) => ({ name, average: sum / count }))
    .sort((one, other) => other.average - one.average || (one.name < other.name ? -1 : 1));
  return { tiers, average, categories };
}

const COLUMNS = ["id", "company", "name", "title", "region", "industry", "tier", "score"] as const;

/** Leads as CSV (RFC 4180), one a line. */
export function csvOf(leads: readonly Lead[]): string {
  const rows = leads.map((lead) =>
    COLUMNS.map((column) => {
      if (column === "tier") {
        return tierOf(lead) ?? "";
      }
      if (column === "name") {
        return contactOf(lead.record) ?? "";
      }
      return column === "score" ? String(lead.score ?? "") : (textOf(lead.record[column]) ?? "");
    }),
  );
  return [[...COLUMNS], ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** A spreadsheet takes a cell that begins like a formula for one: an apostrophe makes it text. */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
