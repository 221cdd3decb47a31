import { describe, expect, test } from "vitest";
import { leadFrom } from "../../src/features/leads/lead";
import {
  choicesOfFilter,
  csvOf,
  filtered,
  filterIn,
  NO_FILTER,
  scoringOf,
} from "../../src/features/leads/scoring";
import { opportunitiesFrom } from "../../src/features/opportunities/opportunities";
import { addressOf } from "../../src/page/address-query";

const LEADS = [
  {
    id: "l1",
    company: "Acme",
    priorityTier: "P0",
    region: "EU",
    industry: "Ports",
    score: 91,
    breakdown: { fit: { score: 9, weight: 0.5, weighted: 4.5, details: "fits" }, reach: { score: 5 } },
  },
  {
    id: "l2",
    company: 'Ships, "fast"',
    tier: "P1",
    region: "US",
    score: 40,
    breakdown: { fit: { score: 3 } },
  },
  { id: "l3", name: "=cmd()", region: "EU" },
].map(leadFrom);

describe("scored leads", () => {
  test("are counted by tier and averaged by category", () => {
    const { tiers, average, categories } = scoringOf(LEADS);
    expect([...tiers]).toEqual([
      ["P0", 1],
      ["P1", 1],
      ["P2", 0],
      ["P3", 0],
    ]);
    expect(average).toBe(65.5);
    expect(categories).toEqual([
      { name: "fit", average: 6 },
      { name: "reach", average: 5 },
    ]);
  });

  test("without a score have no average", () => {
    expect(scoringOf([]).average).toBeNull();
  });

  test.each([
    [{ tier: "P1" }, ["l2"]],
    [{ region: "EU" }, ["l1", "l3"]],
    [{ industry: "Ports" }, ["l1"]],
    [{ leastScore: 50 }, ["l1"]],
    [{ text: "ships fast" }, ["l2"]],
    [{ region: "EU", tier: "P1" }, []],
  ])("are filtered by %o", (filter, ids) => {
    expect(filtered(LEADS, { ...NO_FILTER, ...filter }).map(({ id }) => id)).toEqual(ids);
  });

  test("become CSV in which no cell is a formula", () => {
    expect(csvOf(LEADS).split("\r\n")).toEqual([
      "id,company,name,title,region,industry,tier,score",
      "l1,Acme,,,EU,Ports,P0,91",
      'l2,"Ships, ""fast""",,,US,,P1,40',
      "l3,,'=cmd(),,EU,,,",
      "",
    ]);
  });

  test("name the person that a file of scores names", () => {
    const lead = leadFrom({ id: "l9", company: "Docks", contactName: "Ann Lee", totalScore: 70 });
    expect(lead.detail).toBe("Ann Lee");
    expect(csvOf([lead]).split("\r\n")[1]).toBe("l9,Docks,Ann Lee,,,,,70");
  });

  test("show what a category says", () => {
    expect(LEADS[0]?.factors).toEqual([
      { name: "fit", value: 9, text: "fits" },
      { name: "reach", value: 5, text: "" },
    ]);
  });
});

test("opportunities are the best first, and the first five are marked", () => {
  const list = [1, 2, 3, 4, 5, 6].map((id) => ({ id, title: `T${id}`, score: id * 10, marketSize: 1000 }));
  const summary = {
    totalOpportunities: 6,
    averageScore: 35,
    highPriority: 0,
    mediumPriority: 1,
    lowPriority: 5,
  };
  const found = opportunitiesFrom({ opportunities: [...list, "text"], top5: list.slice(1), summary });
  expect(found.list.map(({ title }) => title)).toEqual(["T6", "T5", "T4", "T3", "T2", "T1"]);
  expect(found.list.filter(({ key }) => found.top.has(key))).toHaveLength(5);
  expect([found.average, found.medium]).toEqual([35, 1]);
});

describe("a filter in the address", () => {
  test("is read as it was written", () => {
    const filter = { text: "a & b=c", tier: "P1", region: "São Paulo", industry: "", leastScore: 60 };
    const address = addressOf("/leads/x", choicesOfFilter(filter));
    expect(filterIn(address.slice(address.indexOf("?")))).toEqual(filter);
  });

  test("is none where the address has none, or nonsense", () => {
    expect(addressOf("/leads", choicesOfFilter(NO_FILTER))).toBe("/leads");
    expect(filterIn("")).toBe(NO_FILTER);
    expect(filterIn("?score=many&x=1")).toBe(NO_FILTER);
  });
});

test("tiers and averages are of the scored leads, where there are any", () => {
  const plain = leadFrom({ id: "1", tier: "P0", score: 10 });
  const scored = leadFrom({ id: "2", priorityTier: "P1", totalScore: 80, score: 80 });
  expect([...scoringOf([plain, scored]).tiers.values()]).toEqual([0, 1, 0, 0]);
  expect(scoringOf([plain, scored]).average).toBe(80);
  expect(scoringOf([plain]).average).toBe(10);
});
