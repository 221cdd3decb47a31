/** When a day is over, its ledger is offered. */

import { type Ledger, readLedger, weekdayOf } from "../fleet/ledger";
import { pathOfLedger } from "../page/route";
import { dollars } from "../words/figures";
import type { Office } from "./office";

/** Offer the ledger of a day when the server's day changes while the page is open. */
export function offerLedger({ budgetReader, toasts }: Pick<Office, "budgetReader" | "toasts">): void {
  let day: string | null = null;
  budgetReader.budgets.subscribe((budgets) => {
    const before = day;
    day = budgets?.day ?? day;
    if (before !== null && day !== null && day > before) {
      readLedger(before).then(
        (ledger) => toasts.say(offerOf(ledger), "info", pathOfLedger(ledger.day)),
        // It can be read later, from the calendar.
        () => {},
      );
    }
  });
}

export function offerOf({ day, tasks, cost }: Ledger): string {
  const done = tasks.length === 1 ? "1 task" : `${tasks.length} tasks`;
  return `${weekdayOf(day)} is over: ${done} finished, ${dollars(cost)} spent. See the ledger.`;
}
