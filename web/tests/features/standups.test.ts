import { expect, test } from "vitest";
import { conversationsIn, nextIn } from "../../src/features/archive/conversations";
import { entriesIn, matching } from "../../src/features/logs/activity";
import { hasNews, headline, standupFrom, useWords } from "../../src/features/standups/standup";
import { parsePath, pathAt } from "../../src/page/route";

const AGENT = {
  id: "scout",
  name: "Scout",
  status: "busy",
  completed: { count: 2, newest: [{ id: "T-1", description: "Read" }, "odd", { id: 7 }] },
  tokens: 1200,
  cost: 0.5,
  unpricedTokens: 0,
  files: { count: 1, newest: ["a.md", 7] },
  questions: { count: 1, newest: [{ id: "Q-1", text: "Which?" }] },
};

test("a standup is read with what is missing or of another shape left out", () => {
  const standup = standupFrom({
    id: "S-1",
    event: 4,
    from: { time: "2026-11-23T09:00:00.000Z" },
    to: "odd",
    complete: false,
    since: "2026-11-23T10:00:00.000Z",
    agents: [AGENT, "odd", {}],
    totals: { completed: 2, started: 1, blocked: 0, tokens: null, cost: 0.5 },
    alerts: [{ id: 1, level: "critical", message: "Full" }, null],
  });
  expect(standup.countedSince).toBe("2026-11-23T10:00:00.000Z");
  expect(standup.to).toBeNull();
  expect(standup.agents).toHaveLength(2);
  const [scout, empty] = standup.agents;
  expect(scout?.completed).toEqual({ count: 2, newest: [{ id: "T-1", description: "Read" }] });
  expect(scout?.files.newest).toEqual(["a.md"]);
  expect(scout?.questions.newest).toEqual([{ id: "Q-1", description: "Which?" }]);
  expect(empty?.tokens).toBeNull();
  expect(headline(standup)).toBe("2 completed, 1 started, $0.50");
  expect(standupFrom({ id: "S-2", event: 1 }).agents).toEqual([]);
});

test("an agent that did nothing has no news, one whose use is unknown has", () => {
  const { agents } = standupFrom({
    id: "S-1",
    event: 1,
    agents: [
      { id: "idle", tokens: 0, cost: 0 },
      { id: "odd", tokens: null, cost: null },
    ],
  });
  expect(agents.map(hasNews)).toEqual([false, true]);
});

test("use that is unknown is said to be, and a price of a part is the least", () => {
  expect(useWords({ tokens: 1200, cost: 0.5, unpricedTokens: 0 })).toBe("1.2K tokens, $0.50");
  expect(useWords({ tokens: 1, cost: 0.5, unpricedTokens: 1 })).toBe("1 token, at least $0.50");
  expect(useWords({ tokens: 1200, cost: null, unpricedTokens: 0 })).toBe("1.2K tokens, cost unknown");
  expect(useWords({ tokens: null, cost: null, unpricedTokens: 0 })).toBe("tokens unknown");
});

test("addresses of the earlier pages lead to the views", () => {
  const at = (pathname: string, hash: string) => parsePath(pathAt({ pathname, hash })).view;
  expect(at("/", "#/archive")).toBe("archive");
  expect(at("/", "#/logs")).toBe("logs");
  expect(at("/", "#/standup")).toBe("standups");
  expect(at("/", "#elsewhere")).toBe("floor");
  expect(at("/tasks", "#/logs")).toBe("tasks");
  expect(parsePath("/standups/S-1")).toEqual({ view: "standups", id: "S-1" });
});

test("conversations and log entries are read with care, and a link header leads on", () => {
  expect(conversationsIn([{ id: "s1", cost: "1", transcript: true }, { id: 7 }, "odd"])).toMatchObject([
    { id: "s1", cost: null, transcript: true },
  ]);
  expect(nextIn('</api/sessions?after=1%3As>; rel="next"')).toBe("/api/sessions?after=1%3As");
  expect(nextIn(null)).toBeNull();
  const entry = { id: 4, timestamp: "t", type: "task:created", message: "T-1 was added", agent: "scout" };
  const entries = entriesIn({ logs: [entry, { ...entry, id: "4" }, { ...entry, id: 3, agent: null }] });
  expect(entries.map(({ id }) => id)).toEqual([4, 3]);
  const filter = { agent: "", category: "", text: "" };
  expect(matching(entries, { ...filter, agent: "scout" })).toHaveLength(1);
  expect(matching(entries, { ...filter, text: "ADDED t-1" })).toHaveLength(2);
  expect(matching(entries, { ...filter, text: "gone" })).toHaveLength(0);
});
