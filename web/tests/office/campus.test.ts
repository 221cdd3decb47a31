import { expect, test } from "vitest";
import { type Box, Campus } from "../../src/office/campus";
import { extentOf, Scene } from "../../src/office/scene";
import type { Agent } from "../../src/state/index";
import { EMPTY_STATE, type FleetState } from "../../src/state/index";

function fleet(homes: Readonly<Record<string, number>>): FleetState {
  const agents = Object.entries(homes).flatMap(([host, count]) =>
    Array.from({ length: count }, (_, n): Agent => {
      const home = host === "" ? {} : { host };
      return { id: `agent-${n}@${host}`, name: `Agent ${n}`, status: "busy", kind: "busy", ...home };
    }),
  );
  return { ...EMPTY_STATE, agents };
}

function campusOf(homes: Readonly<Record<string, number>>): Campus {
  const campus = new Campus();
  campus.show(fleet(homes));
  return campus;
}

function overlap(one: Box, other: Box): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

test.each([[{ "": 7 }], [{ alpha: 7 }], [{ alpha: 6, "": 1 }]])("%o live in the one office", (homes) => {
  const campus = campusOf(homes);
  const known = new Scene();
  known.show(fleet(homes));
  expect(campus.grounds).toBeNull();
  expect(campus.buildings).toHaveLength(1);
  expect(campus.extent).toEqual(extentOf(known.plan));
  expect(campus.buildings[0]?.scene.plan.things).toEqual(known.plan.things);
});

test("each host has an office of its own, and everybody lives in theirs", () => {
  const campus = campusOf({ beta: 3, alpha: 5, "": 1 });
  expect(campus.buildings.map(({ host }) => host).sort()).toEqual(["alpha", "beta", null]);
  for (const { host, scene } of campus.buildings) {
    expect([...scene.people.keys()].every((id) => id.endsWith(`@${host ?? ""}`))).toBe(true);
  }
  expect(campus.agents).toHaveLength(9);
  expect(campus.agentsOf("alpha").map(({ id }) => id)).toContain("agent-4@alpha");
});

test("people are found where they stand", () => {
  const campus = campusOf({ alpha: 5, beta: 5 });
  for (const { id } of campus.agents) {
    const [x, y] = campus.headOf(id) ?? [0, 0];
    expect(campus.personAt(x, y + 20)).toBe(id);
  }
});

test("an office looks the same whenever it is seen, and other than its neighbours'", () => {
  const looks = (campus: Campus) =>
    new Map(campus.buildings.map(({ host, scene, hue }) => [host, { things: scene.plan.things, hue }]));
  const before = looks(campusOf({ alpha: 4, beta: 4 }));
  expect(looks(campusOf({ alpha: 4, beta: 4 }))).toEqual(before);
  expect(before.get("alpha")).not.toEqual(before.get("beta"));
});

test("an office is laid out once, not with each state", () => {
  const campus = campusOf({ alpha: 4, beta: 4 });
  const [{ scene, x, y } = { scene: null, x: 0, y: 0 }] = campus.buildings;
  const { edition } = campus;
  campus.show(fleet({ alpha: 4, beta: 3 }));
  expect(campus.edition).toBe(edition);
  campus.show(fleet({ alpha: 4, beta: 40 }));
  expect(campus.edition).toBe(edition + 1);
  expect(campus.buildings.map((building) => building.scene)).toContain(scene);
  expect([x, y]).not.toEqual([0, 0]);
});

test("a second host that comes makes a campus, and one that goes unmakes it", () => {
  const campus = campusOf({ alpha: 4 });
  campus.show(fleet({ alpha: 4, beta: 2 }));
  expect(campus.buildings).toHaveLength(2);
  expect(overlap(campus.boxOf("alpha"), { x: 0, y: 0, width: 1, height: 1 })).toBe(false);
  campus.show(fleet({ alpha: 4 }));
  expect(campus.buildings).toHaveLength(1);
  expect(campus.grounds).toBeNull();
});

test("an event is shown where it happens", () => {
  const campus = campusOf({ alpha: 2, beta: 2 });
  const told = { id: 1, time: "2026-11-23T10:15:00.000Z", source: "test" };
  const visitors = (home: string) =>
    campus.buildings.find(({ host }) => host === home)?.scene.visitors.length;
  campus.tell({ ...told, type: "lead:added", host: "beta", data: { lead: { id: "L1" } } });
  expect([visitors("alpha"), visitors("beta")]).toEqual([0, 1]);
  campus.tell({ ...told, type: "lead:added", data: { lead: { id: "L2", host: "alpha" } } });
  expect([visitors("alpha"), visitors("beta")]).toEqual([1, 1]);
});

test("nothing moves in an office that nobody speaks for", () => {
  const campus = campusOf({ alpha: 1, beta: 1 });
  campus.away = new Map([["beta", ""]]);
  const times = () => new Map(campus.buildings.map(({ host, scene }) => [host, scene.time]));
  campus.step(0.1);
  expect(times().get("alpha")).toBeCloseTo(0.1);
  expect(times().get("beta")).toBe(0);
});

test("a gateway that goes down puts the lights out in its own office only", () => {
  const campus = new Campus();
  const gateway = { status: "stopped" };
  const state = fleet({ alpha: 1, beta: 1, gamma: 1 });
  const gateways = { alpha: { status: "running" }, beta: gateway };
  campus.show({ ...state, system: { ...state.system, gateway, gateways } });
  const lights = new Map(campus.buildings.map(({ host, scene }) => [host, scene.gateway]));
  expect([lights.get("alpha"), lights.get("beta"), lights.get("gamma")]).toEqual(["on", "off", "on"]);
  campus.show({ ...state, system: { ...state.system, gateway } });
  expect(campus.buildings.map(({ scene }) => scene.gateway)).toEqual(["off", "off", "off"]);
});
