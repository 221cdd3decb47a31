/** What may be spent: the budgets as the settings have them, and how far they reach at the pace of today. */

import { signal } from "@preact/signals";
import { type Data, isData } from "../client/protocol";
import { fetchSigned } from "../client/session-key";
import type { FleetState } from "../state";
import { levelOf } from "../words/level";
import type { LiveFleet } from "./live";

/** US dollars a day. */
export interface Budgets {
  /** The server's day for which this was said. */
  readonly day: string;
  readonly fleet: number | null;
  readonly agents: Readonly<Record<string, number>>;
}

export class BudgetReader {
  /** Null until the server has said. */
  readonly budgets = signal<Budgets | null>(null);
  /** The models of which no price is known, as the server lists them. */
  readonly unpriced = signal<readonly string[]>([]);
  /** Why it could not be read. */
  readonly trouble = signal<string | null>(null);

  /** Read when the page becomes live, and when the server's day may have changed. */
  follow(live: LiveFleet): void {
    let [wasLive, hour] = [false, 0];
    live.connection.subscribe(({ stale }) => {
      if (!stale && !wasLive) {
        void this.read();
      }
      wasLive = !stale;
    });
    live.time.subscribe((now) => {
      const thisHour = Math.floor(now / 1_800_000);
      if (hour !== 0 && thisHour !== hour && wasLive) {
        void this.read();
      }
      hour = thisHour;
    });
  }

  async read(): Promise<void> {
    try {
      const response = await fetchSigned("/api/tokens");
      const told: unknown = await response.json();
      if (!response.ok || !isData(told)) {
        this.trouble.value = `The server answers ${response.status}.`;
        return;
      }
      this.trouble.value = null;
      this.budgets.value = budgetsIn(told.budgets);
      this.unpriced.value = Array.isArray(told.unpriced) ? told.unpriced.map(modelName) : [];
    } catch {
      this.trouble.value = "The server cannot be reached.";
    }
  }
}

export function budgetsIn(told: unknown): Budgets | null {
  if (!isData(told) || typeof told.day !== "string") {
    return null;
  }
  const agents = Object.entries(isData(told.agents) ? told.agents : {});
  return {
    day: told.day,
    fleet: budgetOf(told.fleet),
    agents: Object.fromEntries(
      agents.flatMap(([agent, one]) => {
        const budget = budgetOf(one);
        return budget === null ? [] : [[agent, budget]];
      }),
    ),
  };
}

/** What the fleet, or one agent, has used on a day. */
export function usedOn(fleet: FleetState, day: string, agent?: string): { tokens: number; cost: number } {
  const { agents, days } = fleet.tokens;
  const mine = agent === undefined ? undefined : agents[agent]?.days;
  const byDay: Data = agent === undefined ? days : isData(mine) ? mine : {};
  const use = byDay[day];
  const number = (value: unknown) => (typeof value === "number" ? value : 0);
  return isData(use) ? { tokens: number(use.tokens), cost: number(use.cost) } : { tokens: 0, cost: 0 };
}

/** Who has used nearly all, or more, of their own budget of a day. */
export function overspendingOn(
  fleet: FleetState,
  { agents }: Budgets,
  day: string,
): ReadonlyMap<string, "warning" | "critical"> {
  const levels = new Map<string, "warning" | "critical">();
  for (const [agent, budget] of Object.entries(agents)) {
    const level = levelOf(budget > 0 ? (usedOn(fleet, day, agent).cost / budget) * 100 : 100);
    if (level !== "fine") {
      levels.set(agent, level === "warn" ? "warning" : "critical");
    }
  }
  return levels;
}

export interface Purse {
  readonly budget: number;
  readonly spent: number;
  readonly left: number;
  readonly percent: number;
  /** Hours until it is empty, if today goes on as it has been; null where nothing is being spent. */
  readonly hoursLeft: number | null;
  /** Whether it is enough until midnight. */
  readonly lastsToday: boolean;
}

/** `now` in milliseconds since 1970; the day is that of whoever looks. */
export function purseOf(budget: number, spent: number, now: number): Purse {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const hours = Math.max(1 / 60, (now - midnight) / 3_600_000);
  const left = Math.max(0, budget - spent);
  const hoursLeft = spent > 0 ? left / (spent / hours) : null;
  return {
    budget,
    spent,
    left,
    percent: budget > 0 ? (spent / budget) * 100 : 100,
    hoursLeft,
    lastsToday: left > 0 && (hoursLeft === null || hoursLeft >= 24 - hours),
  };
}

function budgetOf(told: unknown): number | null {
  return isData(told) && typeof told.budget === "number" ? told.budget : null;
}

function modelName(told: unknown): string {
  return isData(told) && typeof told.model === "string" ? told.model : String(told);
}
