import { describe, expect, test } from "vitest";
import { offerOf } from "../../src/dashboard/day-end";
import { balanceOf, dayAfter, type Ledger, nameOfDay } from "../../src/fleet/ledger";
import { parsePath, pathOfLedger, titleOf } from "../../src/page/route";

function ledger(tasks: number, cost: number, fields: Partial<Ledger> = {}): Ledger {
  const done = Array.from({ length: tasks }, (_, n) => ({
    id: `TASK-${n}`,
    description: "",
    priority: "P1",
    agent: "scout",
    time: "2026-11-23T10:00:00.000Z",
  }));
  return {
    day: "2026-11-23",
    over: true,
    from: "2026-11-23T00:00:00.000Z",
    since: "2026-11-23T00:00:00.000Z",
    tasks: done,
    leads: [],
    agents: [],
    tokens: 0,
    cost,
    budget: 10,
    award: null,
    before: { day: "2026-11-22", tasks: null, cost: 0 },
    ...fields,
  };
}

describe("the balance of a day", () => {
  test("is what a finished task has cost", () => {
    expect(balanceOf(ledger(4, 2))).toBe("A finished task cost $0.50.");
    expect(balanceOf(ledger(4, 2, { over: false }))).toBe("A finished task costs $0.50.");
  });

  test("says so where nothing was finished", () => {
    expect(balanceOf(ledger(0, 0))).toBe("Nothing was finished.");
    expect(balanceOf(ledger(0, 1.2))).toBe("Nothing was finished, and $1.20 was spent.");
  });

  test("is compared with the day before, where that is known", () => {
    const before = { day: "2026-11-22", tasks: 3, cost: 6 };
    expect(balanceOf(ledger(4, 2, { before }))).toContain("The day before, each of 3 cost $2.00.");
    expect(balanceOf(ledger(4, 2, { before: { ...before, tasks: 0 } }))).toContain(
      "nothing was finished, for $6.00",
    );
  });
});

test("a day has a name, a day before and a day after", () => {
  expect(nameOfDay("2026-11-23")).toBe("Monday, 23 November 2026");
  expect(dayAfter("2026-03-01", -1)).toBe("2026-02-28");
  expect(dayAfter("2026-12-31", 1)).toBe("2027-01-01");
});

test("when a day is over its ledger is offered in one sentence", () => {
  expect(offerOf(ledger(7, 3.2))).toBe("Monday is over: 7 tasks finished, $3.20 spent. See the ledger.");
});

test("each day has an address", () => {
  expect(parsePath("/ledger")).toEqual({ view: "ledger", day: null });
  expect(parsePath(pathOfLedger("2026-11-23"))).toEqual({ view: "ledger", day: "2026-11-23" });
  expect(parsePath("/ledger/yesterday").view).toBe("nowhere");
  expect(titleOf({ view: "ledger", day: "2026-11-23" })).toBe("2026-11-23 · Ledger · Mission Control");
});
