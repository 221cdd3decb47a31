import { expect, test } from "vitest";
import { parsePatterns } from "../../src/realtime/patterns";

test.each([
  ["", "agent:statusChange", true],
  ["*", "custom:event", true],
  ["agent", "agent:statusChange", true],
  ["agent:*", "agent:statusChange", true],
  ["agent:*", "agents:x", false],
  ["agent:statusChange", "agent:statusChange", true],
  ["agent:statusChange", "agent:removed", false],
  ["task:*, file:change", "file:change", true],
  ["task:* file:change", "task:created", true],
  ["task:*,file:change", "agent:removed", false],
])("the patterns '%s' on %s: %s", (patterns, type, matches) => {
  expect(parsePatterns(patterns)?.(type)).toBe(matches);
});

test.each(["agent:", ":x", "a*", "9:x", "agent:stat*"])("'%s' is no pattern", (text) => {
  expect(parsePatterns(text)).toBeNull();
});
