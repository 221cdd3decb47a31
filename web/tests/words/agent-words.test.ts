import { expect, test } from "vitest";
import type { Agent } from "../../src/state";
import { ago } from "../../src/words/age";
import { initialsOf, staleSince, taskOf } from "../../src/words/agent-words";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const SCOUT: Agent = { id: "scout", name: "Scout", status: "busy", kind: "busy" };

test.each([
  [0, "now"],
  [-5, "now"],
  [12, "12 s ago"],
  [3 * 60 + 59, "3 min ago"],
  [2 * 3600, "2 h ago"],
  [24 * 3600, "1 day ago"],
  [50 * 3600, "2 days ago"],
])("%i seconds are told as '%s'", (seconds, words) => {
  expect(ago(NOW - seconds * 1000, NOW)).toBe(words);
});

test("an agent at work whose status is old is not believed", () => {
  const confirmed = "2026-11-23T11:00:00Z";
  expect(staleSince({ ...SCOUT, confirmed }, NOW)).toBe(Date.parse(confirmed));
});

test.each<Agent>([
  { ...SCOUT, confirmed: "2026-11-23T11:59:00Z" },
  { ...SCOUT, kind: "idle", confirmed: "2026-11-01T00:00:00Z" },
  { ...SCOUT, confirmed: null },
  { ...SCOUT, confirmed: "yesterday" },
])("the status of $kind, confirmed $confirmed, stands", (agent) => {
  expect(staleSince(agent, NOW)).toBeNull();
});

test.each([
  ["Read", "Read"],
  [{ description: "Read", id: "T-1" }, "Read"],
  [{ id: "T-1" }, "T-1"],
  [{ description: 5 }, null],
  [" ", null],
  [null, null],
  [["Read"], null],
])("the task %j is shown as %j", (task, words) => {
  expect(taskOf(task)).toBe(words);
});

test.each([
  ["Scout", "SC"],
  ["night watch", "NW"],
  ["öl", "ÖL"],
  ["🦊", "🦊"],
  ["", ""],
])("'%s' has the initials '%s'", (name, initials) => {
  expect(initialsOf(name)).toBe(initials);
});
