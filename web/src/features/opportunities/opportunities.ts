/** The opportunities that the fleet has found, as the server reads them from the workspace. */

import { signal } from "@preact/signals";
import { type Data, isData } from "../../client/protocol";
import { fetchSigned } from "../../client/session-key";
import { textOf } from "../../words/agent-words";

export interface Opportunity {
  readonly key: string;
  readonly title: string;
  readonly type: string | null;
  readonly description: string | null;
  readonly marketSize: string | null;
  readonly score: number | null;
}

export interface Opportunities {
  readonly list: readonly Opportunity[];
  /** The keys of those with the best score. */
  readonly top: ReadonlySet<string>;
  readonly average: number;
  readonly high: number;
  readonly medium: number;
  readonly low: number;
  /** What is wrong with the file now; these are those that it had before. */
  readonly note: string | null;
}

export class OpportunityList {
  /** Null until the server has answered. */
  readonly found = signal<Opportunities | null>(null);
  readonly trouble = signal<string | null>(null);

  async read(): Promise<void> {
    try {
      const response = await fetchSigned("/api/opportunities");
      const body: unknown = await response.json();
      if (response.ok && isData(body)) {
        this.found.value = opportunitiesFrom(body);
        this.trouble.value = null;
      } else {
        const detail = isData(body) ? textOf(body.detail) : null;
        this.trouble.value = detail ?? `The server answers ${response.status}.`;
      }
    } catch {
      this.trouble.value = "The server cannot be reached.";
    }
  }
}

export function opportunitiesFrom(body: Data): Opportunities {
  const list = recordsIn(body.opportunities)
    .map(opportunityFrom)
    .sort((one, other) => (other.score ?? -1) - (one.score ?? -1));
  const summary = isData(body.summary) ? body.summary : {};
  const count = (name: string) => (typeof summary[name] === "number" ? summary[name] : 0);
  return {
    list,
    top: new Set(list.slice(0, recordsIn(body.top5).length).map(({ key }) => key)),
    average: count("averageScore"),
    high: count("highPriority"),
    medium: count("mediumPriority"),
    low: count("lowPriority"),
    note: textOf(body.note),
  };
}

function opportunityFrom(record: Data, place: number): Opportunity {
  const id = record.id;
  const market = record.marketSize;
  return {
    // Ids are the file's own, and two may be the same.
    key: `${place} ${typeof id === "string" || typeof id === "number" ? id : ""}`,
    title: textOf(record.title) ?? textOf(record.name) ?? "Without a title",
    type: textOf(record.type),
    description: textOf(record.description),
    marketSize: typeof market === "number" ? market.toLocaleString() : textOf(market),
    score: scoreIn(record.score),
  };
}

/** A score, also one that is written as a text. */
function scoreIn(value: unknown): number | null {
  const text = textOf(value)?.trim();
  const score = text === undefined || text === "" ? value : Number(text);
  return typeof score === "number" && Number.isFinite(score) ? score : null;
}

function recordsIn(value: unknown): readonly Data[] {
  return Array.isArray(value) ? value.filter(isData) : [];
}
