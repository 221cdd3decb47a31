import { describe, expect, test } from "vitest";
import {
  PLACES,
  parsePath,
  pathOfAgent,
  pathOfFile,
  pathOfLead,
  pathOfTask,
  titleOf,
} from "../../src/page/route";

describe("every view has an address", () => {
  test("each place of the menu leads to its own view", () => {
    for (const { path, view } of PLACES) {
      expect(parsePath(path).view).toBe(view);
    }
  });

  test("a task, a lead and an agent are named in the path, whatever their ids", () => {
    for (const id of ["TASK-0001", "a/b", "50 %", "قلم", "<b>"]) {
      expect(parsePath(pathOfTask(id))).toEqual({ view: "tasks", id });
      expect(parsePath(pathOfLead(id))).toEqual({ view: "leads", id });
      expect(parsePath(pathOfAgent(id))).toEqual({ view: "agent", id });
    }
  });

  test("a file is named by its path, also one in a workspace next to the watched one", () => {
    for (const path of ["a.md", "notes/50 %.md", "../workspace-scout/memory/a.md", "../../b/c.md", "..a/b"]) {
      // As a browser resolves it when the link is followed.
      const address = new URL(pathOfFile(path), "http://localhost/agents/scout").pathname;
      expect(parsePath(address)).toEqual({ view: "files", path });
    }
  });

  test("a slash at the end changes nothing", () => {
    expect(parsePath("/tasks/")).toEqual({ view: "tasks", id: null });
  });

  test("any other path is told as such, also one that cannot be decoded", () => {
    expect(parsePath("/nothing/here")).toEqual({ view: "nowhere", path: "/nothing/here" });
    expect(parsePath("/tokens/1").view).toBe("nowhere");
    expect(parsePath("/tasks/%")).toEqual({ view: "tasks", id: "%" });
  });

  test("the title says where the page is", () => {
    expect(titleOf({ view: "floor" })).toBe("Mission Control");
    expect(titleOf({ view: "tokens" })).toBe("Tokens · Mission Control");
    expect(titleOf({ view: "tasks", id: "TASK-1" })).toBe("TASK-1 · Tasks · Mission Control");
    expect(titleOf({ view: "agent", id: "scout" })).toBe("scout · Mission Control");
  });
});
