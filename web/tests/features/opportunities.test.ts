import { describe, expect, it } from "vitest";
import { opportunitiesFrom } from "../../src/features/opportunities/opportunities";

describe("opportunities", () => {
  it("counts scores that are written as texts, and puts the best first", () => {
    const scores = ["85", 90, " 7 ", "high", "", null, true];
    const { list } = opportunitiesFrom({ opportunities: scores.map((score) => ({ title: "T", score })) });
    expect(list.map(({ score }) => score)).toEqual([90, 85, 7, null, null, null, null]);
  });

  it("has the note on what is wrong with the file", () => {
    expect(opportunitiesFrom({ opportunities: [], note: "It is not JSON." }).note).toBe("It is not JSON.");
    expect(opportunitiesFrom({ opportunities: [], note: null }).note).toBeNull();
  });
});
