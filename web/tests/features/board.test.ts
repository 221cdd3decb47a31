import { describe, expect, test } from "vitest";
import { nextCard } from "../../src/features/tasks/board";
import { columnOf, EVERYTHING, MOST_CARDS, matching, stacksOf } from "../../src/features/tasks/columns";
import { isOver, overdueSince, STATUSES, taskFrom, UNASSIGNED } from "../../src/fleet/task";
import { laidOver } from "../../src/fleet/task-queue";

const task = (id: string, fields: object = {}) =>
  taskFrom({ id, description: `Do ${id}`, status: "pending", priority: "P2", ...fields });

describe("a task of any shape", () => {
  test("has a status, a priority and a description all the same", () => {
    const odd = taskFrom({ id: "1", status: "strange", priority: 7, tags: "no list", subtasks: [1, {}] });
    expect(odd).toMatchObject({ status: "pending", priority: "P2", description: "(no description)" });
    expect(odd.tags).toEqual([]);
    expect(odd.subtasks).toEqual([{ id: "1", description: "(no description)", completed: false }]);
  });

  test("is nobody's while it says that it is unassigned", () => {
    expect(task("1", { assignedTo: UNASSIGNED }).assignedTo).toBeNull();
    expect(task("1", { assignedTo: "scout" }).assignedTo).toBe("scout");
  });

  test("is overdue only while it is not over", () => {
    const now = Date.parse("2026-11-23T12:00:00Z");
    expect(overdueSince(task("1", { due: "2026-11-22" }), now)).toBe(Date.parse("2026-11-22"));
    expect(overdueSince(task("1", { due: "2026-11-22", status: "completed" }), now)).toBeNull();
    expect(overdueSince(task("1", { due: "2026-11-24" }), now)).toBeNull();
    expect(isOver(task("1", { status: "cancelled" }))).toBe(true);
  });
});

describe("the board", () => {
  test("has a column for every status", () => {
    for (const status of STATUSES) {
      expect(columnOf(status)).toBeGreaterThanOrEqual(0);
    }
  });

  test("shows the most urgent first, and of those the oldest", () => {
    const tasks = [
      task("a", { priority: "P2", created: "2026-01-01" }),
      task("b", { priority: "P0", created: "2026-01-03" }),
      task("c", { priority: "P0", created: "2026-01-02" }),
    ];
    expect(stacksOf(tasks, new Map())[0]?.tasks.map(({ id }) => id)).toEqual(["c", "b", "a"]);
  });

  test("shows what is over by when that was, the latest first", () => {
    const tasks = [
      task("a", { status: "completed", updated: "2026-01-01", priority: "P0" }),
      task("b", { status: "completed", updated: "2026-01-02", priority: "P3" }),
    ];
    const done = stacksOf(tasks, new Map()).find(({ column }) => column.status === "completed");
    expect(done?.tasks.map(({ id }) => id)).toEqual(["b", "a"]);
  });

  test("caps a column, and counts all of it", () => {
    const many = Array.from({ length: 1000 }, (_, number) => task(`T${number}`));
    expect(stacksOf(many, new Map())[0]).toMatchObject({ count: 1000 });
    expect(stacksOf(many, new Map())[0]?.tasks.length).toBe(MOST_CARDS);
    expect(stacksOf(many, new Map([["pending", 240]]))[0]?.tasks.length).toBe(240);
  });

  test("finds ten thousand tasks in a moment", () => {
    const many = Array.from({ length: 10_000 }, (_, number) => task(`TASK-${number}`));
    const began = performance.now();
    const found = matching(many, { ...EVERYTHING, text: "task-9999" });
    stacksOf(many, new Map());
    expect(performance.now() - began).toBeLessThan(500);
    expect(found.map(({ id }) => id)).toEqual(["TASK-9999"]);
  });

  test("finds by words, agent and priority at once", () => {
    const tasks = [
      task("a", { assignedTo: "scout", tags: ["Market"] }),
      task("b", { assignedTo: "scout", priority: "P0" }),
      task("c", {}),
    ];
    const ids = (search: object) => matching(tasks, { ...EVERYTHING, ...search }).map(({ id }) => id);
    expect(ids({ text: "market" })).toEqual(["a"]);
    expect(ids({ agent: "scout" })).toEqual(["a", "b"]);
    expect(ids({ agent: "scout", priority: "P0" })).toEqual(["b"]);
    expect(ids({ agent: UNASSIGNED })).toEqual(["c"]);
  });

  test("leads the keys from card to card, past empty columns", () => {
    const stacks = stacksOf([task("a"), task("b"), task("c", { status: "blocked" })], new Map());
    expect(nextCard(stacks, "a", 0, 1)?.id).toBe("b");
    expect(nextCard(stacks, "b", 0, 1)).toBeNull();
    expect(nextCard(stacks, "b", 1, 0)?.id).toBe("c");
    expect(nextCard(stacks, "c", -1, 0)?.id).toBe("a");
    expect(nextCard(stacks, "c", 1, 0)).toBeNull();
  });
});

describe("what is done here, before the log tells of it", () => {
  const records = [
    { id: "a", status: "pending" },
    { id: "b", status: "pending" },
  ];

  test("shows at once, over the task as it was", () => {
    expect(laidOver(records, new Map([["a", { status: "review" }]]))).toEqual([
      { id: "a", status: "review" },
      { id: "b", status: "pending" },
    ]);
  });

  test("takes away what is deleted", () => {
    expect(laidOver(records, new Map([["a", null]]))).toEqual([{ id: "b", status: "pending" }]);
  });

  test("leaves the tasks the same where nothing is being done", () => {
    expect(laidOver(records, new Map())).toBe(records);
  });
});
