import { expect, test } from "vitest";
import { Scene } from "../../src/office/scene";
import type { Agent, FleetState } from "../../src/state/index";
import { EMPTY_STATE } from "../../src/state/index";

function fleet(...kinds: Agent["kind"][]): FleetState {
  const agents = kinds.map((kind, n) => ({ id: `agent-${n}`, name: `Agent ${n}`, status: kind, kind }));
  return { ...EMPTY_STATE, agents };
}

function event(type: string, data: Record<string, unknown>) {
  return { type, id: 1, time: "2026-11-23T10:15:00.000Z", source: "test", data };
}

function run(office: Scene, seconds: number): void {
  for (let time = 0; time < seconds; time += 0.05) {
    office.step(0.05);
  }
}

function person(office: Scene, number = 0) {
  const found = office.people.get(`agent-${number}`);
  if (!found) {
    throw new Error("nobody is there");
  }
  return found;
}

test("whoever is there at first sits, stands or is away as their state says", () => {
  const office = new Scene();
  office.show(fleet("busy", "waiting", "offline", "error"));
  expect([0, 1, 2, 3].map((n) => person(office, n).here)).toEqual([true, true, false, true]);
  expect(person(office, 0).seated).toBe(true);
  expect(person(office, 1).pose(true).frame).toBe("raise-front-1");
  expect(person(office, 3).pose(true).frame).toBe("slump-front");
});

test("whoever goes offline leaves through the door, and comes back through it", () => {
  const office = new Scene();
  office.show(fleet("busy"));
  office.show(fleet("offline"));
  run(office, 30);
  expect(person(office).here).toBe(false);
  office.show(fleet("busy"));
  expect(person(office).here).toBe(true);
  expect(person(office).seated).toBe(false);
  run(office, 30);
  expect(person(office).seated).toBe(true);
});

test("whoever is idle walks about, and sits down for work", () => {
  const office = new Scene();
  office.show(fleet("idle"));
  let walked = false;
  for (let step = 0; step < 1200 && !walked; step += 1) {
    office.step(0.05);
    walked = person(office).pose(false).frame.startsWith("walk");
  }
  expect(walked).toBe(true);
  office.show(fleet("busy"));
  run(office, 30);
  expect(person(office).seated).toBe(true);
});

test("tokens of one agent within a moment fly to the counters as one figure", () => {
  const office = new Scene();
  office.show(fleet("busy"));
  for (let use = 0; use < 5; use += 1) {
    office.tell(event("token:usage", { agent: "agent-0", delta: { tokens: 300, cost: 0.01 } }));
  }
  run(office, 1);
  const figures = office.takeDepartures().map(({ text, to }) => [text, to]);
  expect(figures).toEqual([
    ["+1500", "tokens"],
    ["$0.05", "purse"],
  ]);
  expect(office.takeDepartures()).toEqual([]);
});

test("what another agent has used until now flies nowhere once it is known whose it is", () => {
  const office = new Scene();
  office.show(fleet("busy"));
  office.tell(event("token:usage", { agent: "agent-0", delta: { tokens: 300, cost: 1, movedFrom: "main" } }));
  office.tell(event("token:usage", { agent: "agent-0", delta: { tokens: -300, cost: -1, movedTo: "main" } }));
  run(office, 1);
  expect(office.takeDepartures()).toEqual([]);
});

test("a file flies to the shelf, and a finished task is celebrated", () => {
  const office = new Scene();
  const tasks = [{ id: "TASK-0001", priority: "P0", assignedTo: "agent-0" }];
  office.show({ ...fleet("busy"), tasks });
  office.tell(event("file:change", { agentId: "agent-0", path: "a.md", action: "created" }));
  office.tell(event("task:completed", { taskId: "TASK-0001" }));
  const kinds = new Set(office.effects.all.map(({ kind }) => kind));
  expect(kinds).toEqual(new Set(["paper", "text", "dot"]));
  expect(person(office).pose(false).frame).toBe("jump-front");
});

test("the room grows with the fleet, and people keep their looks and places", () => {
  const office = new Scene();
  office.show(fleet("busy", "busy"));
  const small = office.plan.width;
  office.show(fleet(...Array<Agent["kind"]>(60).fill("busy")));
  expect(office.plan.width).toBeGreaterThan(small);
  expect(office.people.size).toBe(60);
  office.show(fleet("busy"));
  expect(office.people.size).toBe(1);
});

test("whoever begins to wait calls for the bell", () => {
  const office = new Scene();
  office.show(fleet("busy"));
  office.tell(event("agent:statusChange", { agentId: "agent-0", status: "idle" }));
  expect(office.takeDepartures()).toEqual([]);
  office.tell(event("agent:statusChange", { agentId: "agent-0", status: "waiting for approval" }));
  expect(office.takeDepartures().map(({ to }) => to)).toEqual(["bell"]);
});

test("another moment shows everybody where they belong then, and nothing in the air", () => {
  const office = new Scene();
  office.show(fleet("busy", "offline"));
  office.tell(event("file:change", { agentId: "agent-0", path: "a.md", action: "created" }));
  office.tell(event("lead:added", { lead: { id: "L1" } }));
  office.cut();
  office.show(fleet("offline", "busy"));
  expect(person(office, 0).here).toBe(false);
  expect(person(office, 1).seated).toBe(true);
  expect([office.effects.all.length, office.visitors.length]).toEqual([0, 0]);
});

test("whoever has spent the day's budget stands out for as long as that is so", () => {
  const office = new Scene();
  office.show(fleet("busy"));
  office.overspending = new Map([["agent-0", "warning" as const]]);
  run(office, 60);
  expect(office.alarmOf("agent-0")).toBe("warning");
});

test("a flood of events does not fill the air without end", () => {
  const office = new Scene();
  office.show(fleet("busy"));
  for (let number = 0; number < 5_000; number += 1) {
    office.tell(event("file:change", { agentId: "agent-0", path: `${number}`, action: "modified" }));
  }
  expect(office.effects.all.length).toBeLessThanOrEqual(400);
});

test("a new lead comes in, stays a while and leaves", () => {
  const office = new Scene();
  office.show(fleet("busy"));
  for (let number = 0; number < 9; number += 1) {
    office.tell(event("lead:added", { lead: { id: `L${number}` } }));
  }
  expect(office.visitors.length).toBe(5);
  run(office, 60);
  expect(office.visitors.length).toBe(0);
});

test("whoever crosses a budget stands out for a while", () => {
  const office = new Scene();
  office.show(fleet("busy"));
  office.tell(event("token:threshold", { agent: "agent-0", alert: "critical" }));
  expect(office.alarmOf("agent-0")).toBe("critical");
  run(office, 13);
  expect(office.alarmOf("agent-0")).toBeNull();
});

test("where nothing is to move everybody is at once where they go", () => {
  const office = new Scene();
  office.show(fleet("busy", "idle"));
  office.show(fleet("offline", "idle"));
  office.step(0.05, true);
  expect(person(office, 0).here).toBe(false);
  const before = [person(office, 1).x, person(office, 1).y];
  for (let step = 0; step < 600; step += 1) {
    office.step(0.05, true);
  }
  expect([person(office, 1).x, person(office, 1).y]).toEqual(before);
});
