import { expect, test } from "vitest";
import { findsIn, piecesOf } from "../../src/fleet/finds";
import { parsePath, pathOfSearch } from "../../src/page/route";

test("a text is cut at what was found, by whole characters", () => {
  expect(piecesOf("a 🖊️ deploy b", [[5, 11]])).toEqual(["a 🖊️ ", "deploy", " b"]);
  expect(
    piecesOf("abc", [
      [0, 1],
      [2, 3],
    ]),
  ).toEqual(["", "a", "b", "c", ""]);
  expect(piecesOf("abc", [[2, 1], ["x", 3], null])).toEqual(["abc"]);
  expect(piecesOf("abc", "?")).toEqual(["abc"]);
});

test("what is no answer has found nothing", () => {
  for (const told of [null, [], { results: 3 }, { results: [{ event: {} }] }]) {
    expect(findsIn(told)).toEqual({
      finds: [],
      count: 0,
      exact: true,
      lag: 0,
      unread: 0,
      trouble: null,
      next: null,
    });
  }
});

test("what was said is found next to what has happened, and what is no message is left out", () => {
  const said = {
    kind: "message",
    id: "7532382794026954193",
    time: "2026-11-28T10:00:03.000Z",
    session: "s1",
    agentId: null,
    role: "result",
    tool: "Bash",
    snippet: { text: "class Zebra", matches: [[6, 11]] },
  };
  const event = { type: "task:created", id: 4, time: "2026-11-28T10:00:00.000Z", source: "tasks", data: {} };
  const results = [said, { ...said, id: 7 }, { ...said, session: null }, { kind: "event", event }];
  const { finds, unread } = findsIn({ results, unread: 2 });
  expect(finds.map((find) => (find.kind === "event" ? find.event.type : find.by))).toEqual([
    "Bash",
    "task:created",
  ]);
  expect(finds[0]?.pieces).toEqual(["class ", "Zebra", ""]);
  expect(unread).toBe(2);
});

test("a search has its address", () => {
  for (const text of ["deploy failed", "src/app", "50 % ؟"]) {
    expect(parsePath(pathOfSearch(text))).toEqual({ view: "search", text });
  }
  expect(parsePath("/search")).toEqual({ view: "search", text: "" });
});
