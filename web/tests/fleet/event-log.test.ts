import { expect, test } from "vitest";
import type { LogEvent } from "../../src/client/protocol";
import { EventLog, MAX_SHOWN } from "../../src/fleet/event-log";
import type { Line } from "../../src/fleet/event-words";

function lineOf({ type, id }: LogEvent): Line {
  return { sign: "", subject: type, text: `number ${id}`, tone: "plain" };
}

function events(type: string, from: number, to: number): LogEvent[] {
  const ids = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  return ids.map((id) => ({ type, id, time: "2026-11-23T10:15:00.000Z", source: "test", data: {} }));
}

function idsIn(log: EventLog): (number | string)[] {
  return log.shown.value.map((entry) => (entry.kind === "event" ? entry.event.id : entry.gap.reason));
}

test("the newest event stands first", () => {
  const log = new EventLog(lineOf);
  log.add(events("a:b", 1, 2));
  log.add(events("a:b", 3, 3));
  expect(idsIn(log)).toEqual([3, 2, 1]);
});

test("the list is bounded", () => {
  const log = new EventLog(lineOf);
  log.add(events("a:b", 1, 5000));
  expect(log.shown.value).toHaveLength(MAX_SHOWN);
  expect(idsIn(log)[0]).toBe(5000);
});

test("older events go below, without those that are there already", () => {
  const log = new EventLog(lineOf);
  log.add(events("a:b", 3, 4));
  log.addOlder(events("a:b", 1, 3).reverse());
  expect(idsIn(log)).toEqual([4, 3, 2, 1]);
});

test("a gap stands where it opened", () => {
  const log = new EventLog(lineOf);
  const gap = { from: 2, to: 8, reason: "trimmed", cursor: { epoch: "e", id: 8 } };
  log.add([...events("a:b", 1, 1), gap, ...events("a:b", 9, 9)]);
  expect(idsIn(log)).toEqual([9, "trimmed", 1]);
});

test("a filter reaches back, and holds for what comes", () => {
  const log = new EventLog(lineOf);
  log.add(events("agent:x", 1, 1));
  log.add(events("file:x", 2, 1000));
  log.setFilter("agent:*");
  log.add([...events("file:x", 1001, 1001), ...events("agent:x", 1002, 1002)]);
  expect(idsIn(log)).toEqual([1002, 1]);
});

test("what matches the filter is not pushed out by what does not", () => {
  const log = new EventLog(lineOf);
  log.setFilter("agent:*");
  log.add(events("agent:x", 1, 1));
  log.add(events("file:x", 2, 9000));
  expect(idsIn(log)).toEqual([1]);
});

test("a paused list stands still and counts what it holds back", () => {
  const log = new EventLog(lineOf);
  log.add(events("a:b", 1, 1));
  log.pause(true);
  log.add(events("a:b", 2, 4));
  expect(idsIn(log)).toEqual([1]);
  expect(log.held.value).toBe(3);
  log.pause(false);
  expect(idsIn(log)).toEqual([4, 3, 2, 1]);
  expect(log.held.value).toBe(0);
});
