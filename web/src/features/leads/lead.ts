/** A lead as the views show it; leads come from any tool, so each field may be missing or bear another name. */

import { type Data, isData } from "../../client/protocol";
import type { Item } from "../../state";
import { textOf } from "../../words/agent-words";

export interface Factor {
  readonly name: string;
  /** What it counts for, where that is a number. */
  readonly value: number | null;
  readonly text: string;
}

export interface Lead {
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly score: number | null;
  readonly stage: string | null;
  readonly factors: readonly Factor[];
  readonly words: string;
  readonly record: Item;
}

/** How hot a lead is where its owner notes no stage: by its score. */
export const BANDS = [
  { name: "Hot", from: 80 },
  { name: "Warm", from: 60 },
  { name: "Cool", from: 40 },
  { name: "Cold", from: Number.NEGATIVE_INFINITY },
] as const;

const NO_SCORE = "Not scored";

const known = new WeakMap<Item, Lead>();

export function leadFrom(record: Item): Lead {
  let lead = known.get(record);
  if (!lead) {
    lead = read(record);
    known.set(record, lead);
  }
  return lead;
}

function read(record: Item): Lead {
  const [name, company] = [contactOf(record), textOf(record.company)];
  const place = [
    name !== null && company !== null && name !== company ? name : null,
    textOf(record.title),
    textOf(record.region),
  ];
  const texts = Object.values(record).filter((value) => typeof value === "string");
  return {
    id: record.id,
    title: company ?? name ?? record.id,
    detail: place.filter((part) => part !== null).join(" · "),
    score: numberOf(record.score) ?? numberOf(record.totalScore),
    stage: textOf(record.stage) ?? textOf(record.status),
    factors: factorsOf(record),
    words: texts.join(" ").toLowerCase(),
    record,
  };
}

/** The person to speak to; a file of scores names them apart from the company. */
export function contactOf(record: Data): string | null {
  return textOf(record.name) ?? textOf(record.contactName) ?? textOf(record.contact_name);
}

/** `factors`, or the parts of a score by another of its names: an object of numbers, or a list. */
function factorsOf(record: Data): readonly Factor[] {
  const told = record.factors ?? record.scoreFactors ?? record.scoreBreakdown ?? record.breakdown;
  if (Array.isArray(told)) {
    return told.map((factor, place) => {
      if (isData(factor)) {
        const name = textOf(factor.name) ?? textOf(factor.factor) ?? `Factor ${place + 1}`;
        const value = numberOf(factor.value) ?? numberOf(factor.score) ?? numberOf(factor.points);
        return { name, value, text: textOf(factor.reason) ?? "" };
      }
      return { name: String(factor), value: null, text: "" };
    });
  }
  return Object.entries(isData(told) ? told : {}).map(([name, value]) => {
    const parts = isData(value) ? value : null;
    const number = numberOf(value) ?? numberOf(parts?.score) ?? numberOf(parts?.weighted);
    const text = parts ? (textOf(parts.details) ?? "") : typeof value === "string" ? value : "";
    return { name, value: number, text: number === null && text === "" ? JSON.stringify(value) : text };
  });
}

export interface Stage {
  readonly name: string;
  readonly leads: readonly Lead[];
}

/** The pipeline: by stage where the leads have one, else by how they score. */
export function pipelineOf(leads: readonly Lead[]): readonly Stage[] {
  const staged = leads.some(({ stage }) => stage !== null);
  const stages = new Map<string, Lead[]>(staged ? [] : BANDS.map(({ name }) => [name, []]));
  for (const lead of leads) {
    const name = staged ? (lead.stage ?? "No stage") : bandOf(lead.score);
    const list = stages.get(name);
    if (list) {
      list.push(lead);
    } else {
      stages.set(name, [lead]);
    }
  }
  return [...stages].map(([name, held]) => ({
    name,
    leads: held.sort((a, b) => (b.score ?? -1) - (a.score ?? -1) || (a.id < b.id ? -1 : 1)),
  }));
}

export function bandOf(score: number | null): string {
  return score === null ? NO_SCORE : (BANDS.find(({ from }) => score >= from)?.name ?? NO_SCORE);
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
