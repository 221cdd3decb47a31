import { expect, test } from "vitest";
import { sentenceOf } from "../../src/fleet/sentence";
import type { Agent } from "../../src/state";
import type { Kind } from "../../src/state/status";

function fleet(...kinds: Kind[]): Agent[] {
  return kinds.map((kind, index) => ({ id: `a${index}`, name: `Agent ${index}`, status: kind, kind }));
}

test.each<[Kind[], string]>([
  [[], "There are no agents in this workspace yet."],
  [["busy"], "The only agent is at work and does not need you."],
  [["idle"], "The only agent is not at work and does not need you."],
  [["waiting"], "The only agent is not at work; Agent 0 waits."],
  [["busy", "busy"], "All 2 agents are at work; none of them needs you."],
  [["idle", "online"], "None of 2 agents is at work; none of them needs you."],
  [["busy", "idle", "offline"], "1 of 3 agents is at work, 1 is offline; none of them needs you."],
  [["busy", "waiting", "error"], "1 of 3 agents is at work; Agent 1 waits, Agent 2 has an error."],
  [["busy", "error", "error"], "1 of 3 agents is at work; Agent 1 and Agent 2 have an error."],
  [
    ["waiting", "waiting", "waiting", "waiting", "waiting"],
    "None of 5 agents is at work; Agent 0, Agent 1, Agent 2 and 2 more wait.",
  ],
])("a fleet of %j is told in one sentence", (kinds, sentence) => {
  expect(sentenceOf(fleet(...kinds))).toBe(sentence);
});

test.each<[Kind[], number, string]>([
  [[], 1, "There are no agents in this workspace yet; there is 1 alert."],
  [["busy"], 1, "The only agent is at work; there is 1 alert."],
  [["busy", "waiting"], 2, "1 of 2 agents is at work; Agent 1 waits, there are 2 alerts."],
])("a fleet of %j with %i alerts is not said to need nobody", (kinds, alerts, sentence) => {
  expect(sentenceOf(fleet(...kinds), alerts)).toBe(sentence);
});
