import { describe, expect, test } from "vitest";
import { budgetsIn, purseOf, usedOn } from "../../src/fleet/budgets";
import { lastDays, sourcesOf, useRows } from "../../src/fleet/use";
import { EMPTY_STATE } from "../../src/state";
import { levelOf } from "../../src/words/level";

const NOON = new Date(2026, 10, 23, 12).getTime();

describe("the purse", () => {
  test("is empty in as many hours as the pace of today says", () => {
    const purse = purseOf(10, 8, NOON);
    expect(purse).toMatchObject({ left: 2, percent: 80, lastsToday: false });
    expect(purse.hoursLeft).toBeCloseTo(3);
  });

  test("lasts the day where it reaches until midnight", () => {
    expect(purseOf(10, 2, NOON).lastsToday).toBe(true);
    expect(purseOf(10, 0, NOON)).toMatchObject({ hoursLeft: null, lastsToday: true });
  });

  test("has nothing left, rather than less, once more than all is spent", () => {
    expect(purseOf(10, 12, NOON)).toMatchObject({ left: 0, percent: 120, lastsToday: false });
  });

  test("has a level before colour says it", () => {
    expect([50, 80, 99.9, 100].map((percent) => levelOf(percent))).toEqual([
      "fine",
      "warn",
      "warn",
      "critical",
    ]);
  });
});

describe("what the server says of budgets", () => {
  test("is read by agent and fleet", () => {
    const told = { day: "2026-11-23", fleet: { budget: 10 }, agents: { scout: { budget: 5 }, odd: {} } };
    expect(budgetsIn(told)).toEqual({ day: "2026-11-23", fleet: 10, agents: { scout: 5 } });
  });

  test("may be that there are none", () => {
    expect(budgetsIn({ day: "2026-11-23", fleet: null, agents: {} })?.fleet).toBeNull();
    expect(budgetsIn("nonsense")).toBeNull();
  });
});

describe("token use", () => {
  const tokens = {
    ...EMPTY_STATE.tokens,
    days: { "2026-11-23": { tokens: 30, cost: 0.3 } },
    agents: { scout: { tokens: 20, cost: 0.2, days: { "2026-11-23": { tokens: 20, cost: 0.2 } } } },
  };

  test("is known of the fleet and of each agent, by day", () => {
    const fleet = { ...EMPTY_STATE, tokens };
    expect(usedOn(fleet, "2026-11-23")).toEqual({ tokens: 30, cost: 0.3 });
    expect(usedOn(fleet, "2026-11-23", "scout")).toEqual({ tokens: 20, cost: 0.2 });
    expect(usedOn(fleet, "2026-11-23", "nobody")).toEqual({ tokens: 0, cost: 0 });
    expect(usedOn(fleet, "2026-11-22")).toEqual({ tokens: 0, cost: 0 });
  });

  test("has its days in a row, also those without use", () => {
    expect(lastDays(tokens.days, "2026-11-24", 3)).toEqual([
      { day: "2026-11-22", tokens: 0, cost: 0 },
      { day: "2026-11-23", tokens: 30, cost: 0.3 },
      { day: "2026-11-24", tokens: 0, cost: 0 },
    ]);
  });

  test("says where each cost comes from, and what has none", () => {
    expect(sourcesOf({ costs: { transcript: 1, prices: 2 } })).toEqual([
      "stated in the transcript",
      "price table",
    ]);
    expect(sourcesOf({ costs: {}, unpriced: { tokens: 5 } })).toEqual(["partly without a price"]);
  });

  test("is listed with the most expensive first", () => {
    const rows = useRows({
      a: { tokens: 9, cost: 1 },
      b: { tokens: 1, cost: 2 },
      c: { tokens: 10, cost: 1 },
    });
    expect(rows.map(({ id }) => id)).toEqual(["b", "c", "a"]);
  });
});
