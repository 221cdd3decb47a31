import { expect, test } from "vitest";
import vectors from "../../../spec/fold.json";
import statuses from "../../../spec/status.json";
import type { LogEvent } from "../../src/client/protocol";
import { EMPTY_STATE, foldEvents, stateFromSnapshot } from "../../src/state";
import { kindOf } from "../../src/state/status";

const FIRST: LogEvent = {
  type: "agent:statusChange",
  id: 1,
  time: "2026-11-23T10:15:00.000Z",
  source: "agents",
  data: { agentId: "scout", status: "busy", kind: "busy" },
};

test.each(vectors)("as the server folds it: $name", ({ events, state }) => {
  const { id, ...folded } = foldEvents(EMPTY_STATE, events as LogEvent[]);
  expect(folded).toEqual(state);
  expect(id).toBe(Math.max(0, ...events.map((event) => event.id)));
});

test.each(vectors)("whatever the batches are: $name", ({ events, state }) => {
  const one = (folded: typeof EMPTY_STATE, event: unknown) => foldEvents(folded, [event as LogEvent]);
  const { id: _, ...folded } = (events as unknown[]).reduce(one, EMPTY_STATE);
  expect(folded).toEqual(state);
});

test.each(vectors)("the same comes back from a snapshot: $name", ({ state }) => {
  const folded = stateFromSnapshot({ state, cursor: { epoch: "e", id: 9 } });
  expect(folded).toEqual({ ...state, id: 9 });
});

test.each(statuses)("the status $status means $kind", ({ status, kind }) => {
  expect(kindOf(status)).toBe(kind);
});

test("a snapshot with missing fields is filled up", () => {
  const state = stateFromSnapshot({ state: { agents: [{ id: "scout" }] }, cursor: { epoch: "e", id: 3 } });
  expect(state.agents[0]).toMatchObject({ id: "scout", name: "scout", status: "unknown", kind: "unknown" });
  expect(state.tasks).toEqual([]);
  expect(state.system).toEqual({ gateway: null, alerts: [] });
});

test("events that the snapshot has in it already are passed over", () => {
  const snapshot = { state: { agents: [] }, cursor: { epoch: "e", id: 1 } };
  expect(foldEvents(stateFromSnapshot(snapshot), [FIRST]).agents).toEqual([]);
});

test("a state is not changed in place", () => {
  const before = foldEvents(EMPTY_STATE, [FIRST]);
  foldEvents(before, [{ ...FIRST, id: 2, data: { agentId: "scout", status: "idle" } }]);
  expect(before.agents[0]?.status).toBe("busy");
  expect(EMPTY_STATE.agents).toEqual([]);
});

test("events that change no agent leave the same agents", () => {
  const before = foldEvents(EMPTY_STATE, [FIRST]);
  const after = foldEvents(before, [{ ...FIRST, id: 2, type: "file:change", data: { path: "a" } }]);
  expect(after.agents).toBe(before.agents);
  expect(after.id).toBe(2);
});
