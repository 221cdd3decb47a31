import { expect, test } from "vitest";
import type { Data } from "../../src/client/protocol";
import { describeEvent, describeGap } from "../../src/fleet/event-words";

const NAMES: Readonly<Record<string, string>> = { scout: "Scout", forge: "Forge" };

function told(type: string, data: Data): string {
  const event = { type, id: 1, time: "2026-11-23T10:15:00.000Z", source: "test", data };
  const { subject, text } = describeEvent(event, (id) => NAMES[id] ?? id);
  return `${subject} ${text}`;
}

test.each<[string, Data, string]>([
  [
    "agent:statusChange",
    { agentId: "scout", status: "busy", previousStatus: "idle" },
    "Scout is now busy (was idle)",
  ],
  ["agent:statusChange", { agentId: "new", status: "busy", previousStatus: null }, "new is now busy"],
  [
    "agent:updated",
    { agentId: "scout", updates: { currentTask: { description: "Read" } } },
    "Scout now does: Read",
  ],
  ["agent:updated", { agentId: "scout", updates: { currentTask: null } }, "Scout has no task now"],
  [
    "agent:updated",
    { agentId: "scout", updates: { lastActive: "x", stats: {} } },
    "Scout changed: last active, stats",
  ],
  ["agent:activity", { agentId: "scout", fileCount: 3 }, "Scout worked on files"],
  ["agent:activity", { agentId: "scout", activity: "exec make test" }, "Scout is at it: exec make test"],
  ["lead:added", { lead: { id: "l1", company: "Acme", score: 70 } }, "Acme was found, scored 70"],
  ["lead:scored", { leadId: "l1", score: 80, previousScore: 70 }, "l1 now scores 80 (was 70)"],
  ["lead:updated", { leadId: "l1", updates: { region: "EU" } }, "l1 changed: region"],
  ["lead:removed", { leadId: "l1" }, "l1 is gone"],
  ["state:baseline", { source: "tasks", tasks: [{ id: "T" }] }, "Workspace has 1 task"],
  ["agent:removed", { agentId: "scout" }, "Scout is gone"],
  [
    "file:change",
    { action: "created", path: "agents/scout/out/report.md", agentId: "scout" },
    "Scout wrote agents/scout/out/report.md",
  ],
  [
    "file:change",
    { action: "created", path: "fleets/agents/scout/report.md", agentId: "scout" },
    "Scout wrote agents/scout/report.md",
  ],
  [
    "file:change",
    { action: "deleted", path: "shared/x.md", agentId: "scout", foundAtStart: true },
    "Scout deleted shared/x.md, while nobody was watching",
  ],
  ["file:change", { action: "modified", path: "x.md" }, "x.md was changed"],
  ["task:created", { task: { id: "TASK-1", description: "Read" } }, "TASK-1 was created: Read"],
  ["task:assigned", { taskId: "TASK-1", agentId: "forge" }, "TASK-1 was given to Forge"],
  ["token:usage", { agent: "scout", tokens: 1, cost: 0.25 }, "Scout has used 1 token so far, $0.25"],
  [
    "token:usage",
    { agent: "scout", tokens: 1, cost: 0.25, delta: { movedFrom: "forge" } },
    "Scout has used 1 token so far, $0.25, also what was counted for Forge",
  ],
  [
    "token:usage",
    { agent: "forge", tokens: 0, cost: 0, delta: { movedTo: "scout" } },
    "Forge has used 0 tokens so far, $0.00, without what is Scout’s",
  ],
  ["system:alert", { level: "critical", message: "<b>down</b>" }, "Critical: <b>down</b>"],
  ["system:status", { status: "running" }, "Gateway is running"],
  ["state:baseline", { source: "agents", agents: [{}, {}] }, "Workspace has 2 agents"],
  ["custom:event", { a: 1 }, 'custom:event {"a":1}'],
])("%s %j is told in words", (type, data, words) => {
  expect(told(type, data)).toBe(words);
});

test.each([
  ["agent:statusChange", { agentId: 7 }],
  ["agent:updated", { agentId: "scout", updates: [] }],
  ["file:change", { action: "constructor", path: "x" }],
  ["file:change", { action: "created" }],
  ["system:alert", { level: "critical" }],
  ["task:created", {}],
  ["state:baseline", {}],
])("%s %j, which has not its type's shape, is told as it came", (type, data) => {
  expect(told(type, data)).toBe(`${type} ${JSON.stringify(data)}`);
});

test("long data is cut short", () => {
  expect(told("custom:event", { text: "x".repeat(10_000) }).length).toBeLessThan(200);
});

test("a gap says what is missing and why", () => {
  const gap = { from: 3, to: 9, reason: "trimmed", cursor: { epoch: "e", id: 9 } };
  const { subject, text } = describeGap(gap);
  expect(`${subject} ${text}`).toBe("Events 3 to 9 are missing: they are older than what the log keeps");
});
