import { expect, test } from "vitest";
import spec from "../../../spec/sentences.json";
import type { Data } from "../../src/client/protocol";
import { describeEvent, describeGap } from "../../src/fleet/event-words";
import { sentenceOf, TYPES } from "../../src/fleet/sentences";

const NAMES: Readonly<Record<string, string>> = spec.names;
const nameOf = (id: string) => NAMES[id] ?? id;

function lineOf(type: string, data: Data) {
  return describeEvent({ type, id: 1, time: "2026-11-23T10:15:00.000Z", source: "test", data }, nameOf);
}

test.each(spec.events.map(({ type, data, sentence }) => [type, data as Data, sentence] as const))(
  "%s %j is the sentence that the server writes",
  (type, data, sentence) => {
    const found = sentenceOf(type, data, nameOf);
    expect(found && [found.subject, found.text]).toEqual(sentence);
    if (sentence === null) {
      expect(lineOf(type, data)).toMatchObject({ subject: type, text: JSON.stringify(data) });
    }
  },
);

test.each(spec.gaps)(
  "the gap %j is the sentence that the server writes",
  ({ from, to, reason, sentence }) => {
    const { subject, text } = describeGap({ from, to, reason, cursor: { epoch: "e", id: 9 } });
    expect([subject, text]).toEqual(sentence);
  },
);

test("every type that has a sentence has a sign", () => {
  for (const type of TYPES) {
    const vector = spec.events.find((one) => one.type === type && one.sentence);
    expect(vector && lineOf(type, vector.data as Data).sign).not.toBe("·");
  }
});

test.each([
  ["agent:statusChange", { agentId: "scout", status: "failed" }, "warning"],
  ["agent:statusChange", { agentId: "scout", status: "failed", kind: "idle" }, "plain"],
  ["question:asked", { question: { text: "Which?" } }, "warning"],
  ["system:alert", { level: "critical", message: "down" }, "critical"],
  ["system:alert", { level: "constructor", message: "down" }, "info"],
  ["task:deleted", { taskId: "TASK-1" }, "plain"],
])("%s %j asks for attention as %s", (type, data, tone) => {
  expect(lineOf(type, data).tone).toBe(tone);
});

test("a text that reads from the right leaves the rest of the sentence in place", () => {
  expect(lineOf("task:completed", { taskId: "TASK-1", result: "\u05d0" }).text).toBe(
    "is completed: \u2068\u05d0\u2069",
  );
});

test("long data is cut short", () => {
  expect(lineOf("custom:event", { text: "x".repeat(10_000) }).text.length).toBeLessThan(200);
});
