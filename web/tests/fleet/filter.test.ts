import { expect, test } from "vitest";
import type { LogEvent } from "../../src/client/protocol";
import { describeEvent } from "../../src/fleet/event-words";
import { parseFilter } from "../../src/fleet/filter";

const WROTE: LogEvent = {
  type: "file:change",
  id: 1,
  time: "2026-11-23T10:15:00.000Z",
  source: "files",
  data: { action: "created", path: "agents/scout/Report.md", agentId: "scout" },
};

test.each([
  ["", true],
  ["file:*", true],
  ["agent:*", false],
  ["agent:* file:change", true],
  ["*", true],
  ["scout", true],
  ["report.MD", true],
  ["scout wrote", true],
  ["wrote, scout", true],
  ["scout forge", false],
  ["file", true],
  ["file:", true],
  ["file:* scout", true],
  ["file:* forge", false],
  ["agent:* scout", false],
])("the filter %j finds that Scout wrote a report: %s", (text, found) => {
  const filter = parseFilter(text, (event) => describeEvent(event, () => "Scout"));
  expect(filter(WROTE)).toBe(found);
});
