/** A day of the fleet, as the server reckons it. */

import { signal } from "@preact/signals";
import { RequestFailed, readJson } from "../client/http";
import { type Data, isData } from "../client/protocol";
import { dollars } from "../words/figures";

export interface FinishedTask {
  readonly id: string;
  readonly description: string;
  readonly priority: string;
  /** Who has finished it; empty where nobody had it. */
  readonly agent: string;
  readonly time: string;
}

export interface FoundLead {
  readonly id: string;
  readonly name: string;
  readonly score: number | null;
}

/** US dollars. */
export interface AgentShare {
  readonly agent: string;
  readonly name: string;
  readonly tasks: number;
  readonly tokens: number;
  readonly cost: number;
}

export interface Award {
  readonly agent: string;
  readonly name: string;
  readonly tasks: number;
  readonly cost: number;
}

export interface DayBefore {
  readonly day: string;
  /** Null where the log does not know all of that day. */
  readonly tasks: number | null;
  readonly cost: number;
}

export interface Ledger {
  readonly day: string;
  readonly over: boolean;
  /** Its beginning, and the moment from which the log knows it; null where it knows nothing of it. */
  readonly from: string;
  readonly since: string | null;
  readonly tasks: readonly FinishedTask[];
  readonly leads: readonly FoundLead[];
  readonly agents: readonly AgentShare[];
  readonly tokens: number;
  readonly cost: number;
  readonly budget: number;
  readonly award: Award | null;
  readonly before: DayBefore;
}

export class LedgerReader {
  /** Null until the server has answered. */
  readonly ledger = signal<Ledger | null>(null);
  readonly trouble = signal<string | null>(null);
  #asked = 0;

  /** Read a day; null for today. */
  async read(day: string | null): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const ledger = await readLedger(day);
      if (asked === this.#asked) {
        this.ledger.value = ledger;
        this.trouble.value = null;
      }
    } catch (error) {
      if (asked === this.#asked) {
        this.trouble.value = error instanceof RequestFailed ? error.failure.reason : String(error);
      }
    }
  }
}

export async function readLedger(day: string | null): Promise<Ledger> {
  const query = day === null ? "" : `?day=${encodeURIComponent(day)}`;
  const told = await readJson(`/api/ledger${query}`, { apiUrl: "" });
  if (!isLedger(told)) {
    throw new RequestFailed({ reason: "The server's answer is not a ledger." });
  }
  return told;
}

function isLedger(told: unknown): told is Data & Ledger {
  return (
    isData(told) &&
    typeof told.day === "string" &&
    typeof told.cost === "number" &&
    isData(told.before) &&
    [told.tasks, told.leads, told.agents].every(Array.isArray)
  );
}

/** Events that change a ledger. */
export const LEDGER_TYPES: ReadonlySet<string> = new Set([
  "task:completed",
  "task:updated",
  "lead:added",
  "lead:scored",
  "token:usage",
]);

/** What the day comes to, in a sentence or two: never a price for what has none. */
export function balanceOf({ tasks, cost, before, over }: Ledger): string {
  const done = tasks.length;
  const each = done > 0 ? cost / done : null;
  const first =
    each === null
      ? `Nothing ${over ? "was" : "is"} finished${cost > 0 ? `, and ${dollars(cost)} ${over ? "was" : "is"} spent` : ""}.`
      : `A finished task ${over ? "cost" : "costs"} ${dollars(each)}.`;
  if (before.tasks === null) {
    return first;
  }
  const earlier =
    before.tasks === 0
      ? `nothing was finished, for ${dollars(before.cost)}`
      : `${before.tasks === 1 ? "the only one" : `each of ${before.tasks}`} cost ${dollars(before.cost / before.tasks)}`;
  return `${first} The day before, ${earlier}.`;
}

/** The day that lies so many days after another. */
export function dayAfter(day: string, days: number): string {
  const moment = new Date(`${day}T12:00:00Z`);
  moment.setUTCDate(moment.getUTCDate() + days);
  return moment.toISOString().slice(0, 10);
}

const LONG = new Intl.DateTimeFormat("en-GB", {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
  timeZone: "UTC",
});
const WEEKDAY = new Intl.DateTimeFormat("en-GB", { weekday: "long", timeZone: "UTC" });

/** `Monday 23 November 2026`. */
export function nameOfDay(day: string): string {
  return LONG.format(new Date(`${day}T12:00:00Z`));
}

export function weekdayOf(day: string): string {
  return WEEKDAY.format(new Date(`${day}T12:00:00Z`));
}
