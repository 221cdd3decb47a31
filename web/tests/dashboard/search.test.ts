import { expect, test } from "vitest";
import { parsePath, pathOfSearch } from "../../src/dashboard/route";
import { findsIn, piecesOf } from "../../src/dashboard/search/finds";

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
    expect(findsIn(told)).toEqual({ finds: [], count: 0, exact: true, lag: 0, next: null });
  }
});

test("a search has its address", () => {
  for (const text of ["deploy failed", "src/app", "50 % ؟"]) {
    expect(parsePath(pathOfSearch(text))).toEqual({ view: "search", text });
  }
  expect(parsePath("/search")).toEqual({ view: "search", text: "" });
});
