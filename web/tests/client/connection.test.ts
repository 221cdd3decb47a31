import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Conversation } from "./fake-server";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A conversation whose greeting and snapshot are over; the log stands at 10. */
function connected(random?: () => number): Conversation {
  const talk = new Conversation(random);
  talk.socket.greet("e1:10");
  talk.socket.say("snapshot", { state: {}, cursor: "e1:10" });
  talk.told.length = 0;
  return talk;
}

test("the first connection asks for a snapshot and has no cursor", () => {
  const talk = new Conversation();
  expect(talk.state).toBe("connecting");
  expect(talk.socket.url.href).toBe("ws://127.0.0.1:3001/api/ws?snapshot=1");
  expect(talk.connection.cursor).toBeNull();
});

test("it is connected once the server has greeted", () => {
  const talk = new Conversation();
  talk.socket.greet("e1:10");
  expect(talk.statuses.at(-1)).toEqual({ state: "connected", reason: null, retryAt: null });
  expect(talk.connection.cursor).toBe("e1:10");
});

test("the snapshot and the events after it are told in order", () => {
  const talk = new Conversation();
  talk.socket.greet("e1:10");
  talk.socket.say("snapshot", { state: {}, cursor: "e1:10" });
  talk.socket.sayEvents(11, 12);
  expect(talk.told).toEqual(["snapshot 10", "event 11", "event 12"]);
  expect(talk.connection.cursor).toBe("e1:12");
});

test("a lost connection comes back with its cursor and goes on", () => {
  const talk = connected();
  talk.socket.sayEvents(11);
  talk.socket.drop();
  expect(talk.state).toBe("reconnecting");
  vi.advanceTimersByTime(250);
  expect(talk.sockets).toHaveLength(2);
  expect(talk.socket.url.searchParams.get("since")).toBe("e1:11");
  talk.socket.greet("e1:11");
  talk.socket.sayEvents(12);
  expect(talk.told).toEqual(["event 11", "event 12"]);
  expect(talk.state).toBe("connected");
});

test("an event that was seen already is dropped", () => {
  const talk = connected();
  talk.socket.sayEvents(11, 11, 10, 12);
  expect(talk.told).toEqual(["event 11", "event 12"]);
});

test("a jump forward is a loss: nothing of it is told, and the events are read again", () => {
  const talk = connected();
  const first = talk.socket;
  first.sayEvents(11, 13);
  expect(talk.told).toEqual(["event 11"]);
  expect(talk.state).toBe("reconnecting");
  expect(first.closed).toBe(true);
  vi.advanceTimersByTime(250);
  expect(talk.socket.url.searchParams.get("since")).toBe("e1:11");
  talk.socket.greet("e1:11");
  talk.socket.sayEvents(12, 13);
  expect(talk.told).toEqual(["event 11", "event 12", "event 13"]);
});

test("a heartbeat that stands further on than the events is a loss too", () => {
  const talk = connected();
  talk.socket.say("ping", { cursor: "e1:10" });
  expect(talk.state).toBe("connected");
  talk.socket.say("ping", { cursor: "e1:12" });
  expect(talk.state).toBe("reconnecting");
});

test("a socket that was left is not heard any more", () => {
  const talk = connected();
  const first = talk.socket;
  first.sayEvents(13);
  first.sayEvents(11);
  first.drop();
  vi.advanceTimersByTime(250);
  expect(talk.sockets).toHaveLength(2);
  expect(talk.told).toEqual([]);
});

test("a gap is told, and events go on after it", () => {
  const talk = connected();
  talk.socket.drop();
  vi.advanceTimersByTime(250);
  talk.socket.greet("e1:50");
  talk.socket.say("subscribed", { events: ["*"], cursor: "e1:50", recovered: false });
  talk.socket.say("gap", { from: 11, to: 50, reason: "trimmed", cursor: "e1:50" });
  talk.socket.say("snapshot", { state: {}, cursor: "e1:60" });
  talk.socket.sayEvents(51, 52);
  expect(talk.told).toEqual(["gap 11-50 trimmed", "snapshot 60", "event 51", "event 52"]);
  expect(talk.socket.sent).toEqual([]);
});

test("a new life of the log is told as a gap and read from where it stands", () => {
  const talk = connected();
  talk.socket.drop();
  vi.advanceTimersByTime(250);
  talk.socket.greet("e2:3");
  talk.socket.say("gap", { from: 11, to: 11, reason: "epoch", cursor: "e2:3" });
  talk.socket.say("snapshot", { state: {}, cursor: "e2:3" });
  talk.socket.sayEvents(4);
  expect(talk.told).toEqual(["gap 11-11 epoch", "snapshot 3", "event 4"]);
  expect(talk.connection.cursor).toBe("e2:4");
});

test("a new life of the log is not passed over where the server is silent about it", () => {
  const talk = connected();
  talk.socket.drop();
  vi.advanceTimersByTime(250);
  talk.socket.greet("e2:3");
  talk.socket.sayEvents(4);
  expect(talk.told).toEqual(["gap 11-3 epoch", "event 4"]);
  expect(talk.socket.sent).toEqual([{ type: "subscribe", events: ["*"], snapshot: true }]);
});

test("a gap in the middle of catching up makes it ask for a snapshot, once", () => {
  const talk = connected();
  talk.socket.sayEvents(11);
  talk.socket.say("gap", { from: 12, to: 20, reason: "trimmed", cursor: "e1:20" });
  talk.socket.sayEvents(21, 22);
  expect(talk.socket.sent).toEqual([{ type: "subscribe", events: ["*"], snapshot: true }]);
  talk.socket.say("snapshot", { state: {}, cursor: "e1:22" });
  expect(talk.told.at(-1)).toBe("snapshot 22");
});

test("a connection that broke before its snapshot asks for it when it is back", () => {
  const talk = new Conversation();
  talk.socket.greet("e1:10");
  talk.socket.drop();
  vi.advanceTimersByTime(250);
  talk.socket.greet("e1:10");
  talk.socket.say("subscribed", { events: ["*"], cursor: "e1:10", recovered: true });
  expect(talk.socket.sent).toEqual([{ type: "subscribe", events: ["*"], snapshot: true }]);
});

test("a ping is answered", () => {
  const talk = connected();
  talk.socket.say("ping", { cursor: "e1:10" });
  expect(talk.socket.typesSent()).toEqual(["pong"]);
});

test("each heartbeat sends a ping", () => {
  const talk = connected();
  vi.advanceTimersByTime(30_000);
  talk.socket.say("pong");
  vi.advanceTimersByTime(30_000);
  expect(talk.socket.typesSent()).toEqual(["ping", "ping"]);
  expect(talk.state).toBe("connected");
});

test("a server silent for two heartbeats is given up", () => {
  const talk = new Conversation();
  talk.socket.greet("e1:10", 2);
  vi.advanceTimersByTime(1_500);
  talk.socket.say("pong");
  vi.advanceTimersByTime(3_999);
  expect(talk.state).toBe("connected");
  vi.advanceTimersByTime(1);
  expect(talk.connection.status).toMatchObject({
    state: "reconnecting",
    reason: "The server has fallen silent.",
  });
});

test("any message counts as life", () => {
  const talk = new Conversation();
  talk.socket.greet("e1:10", 2);
  for (let id = 11; id < 20; id += 1) {
    vi.advanceTimersByTime(3_000);
    talk.socket.sayEvents(id);
  }
  expect(talk.state).toBe("connected");
});

test("a server that accepts and never greets is given up after ten seconds", () => {
  const talk = new Conversation();
  vi.advanceTimersByTime(10_000);
  expect(talk.connection.status).toMatchObject({
    state: "reconnecting",
    reason: "The server does not answer.",
  });
});

test("a draining server is left alone for as long as it asked", () => {
  const talk = connected();
  talk.socket.say("server:draining", { reconnectAfter: 2.5 });
  expect(talk.state).toBe("connected");
  talk.socket.drop(1001, "the server restarts");
  expect(talk.connection.status).toMatchObject({ reason: "The server is restarting." });
  vi.advanceTimersByTime(2_499);
  expect(talk.sockets).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(talk.sockets).toHaveLength(2);
});

test("a refusal is final and says why", () => {
  const talk = connected();
  talk.socket.drop(1008, "a token is needed");
  vi.advanceTimersByTime(120_000);
  expect(talk.sockets).toHaveLength(1);
  expect(talk.connection.status).toEqual({
    state: "disconnected",
    reason: "a token is needed",
    retryAt: null,
  });
});

test.each([1001, 1006, 1009, 1013, 4008, 4009])("after close code %i it comes back", (code) => {
  const talk = connected();
  talk.socket.drop(code);
  vi.advanceTimersByTime(250);
  expect(talk.sockets).toHaveLength(2);
});

test("delays grow to thirty seconds, with full jitter", () => {
  const talk = new Conversation(() => 0.999999);
  const delays: number[] = [];
  for (let attempt = 0; attempt < 9; attempt += 1) {
    talk.socket.drop();
    const delay = (talk.connection.status.retryAt ?? 0) - Date.now();
    delays.push(Math.round(delay / 10) / 100);
    vi.advanceTimersByTime(delay);
  }
  expect(delays).toEqual([0.5, 1, 2, 4, 8, 16, 30, 30, 30]);
});

test("no delay is shorter than a quarter of a second", () => {
  const talk = new Conversation(() => 0);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    talk.socket.drop();
    expect((talk.connection.status.retryAt ?? 0) - Date.now()).toBe(250);
    vi.advanceTimersByTime(250);
  }
});

test("delays start short again once the server has greeted", () => {
  const talk = new Conversation(() => 0.999999);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    talk.socket.drop();
    vi.advanceTimersByTime(30_000);
  }
  talk.socket.greet();
  talk.socket.drop();
  expect((talk.connection.status.retryAt ?? 0) - Date.now()).toBeLessThanOrEqual(500);
});

test("waking up tries at once, and only once", () => {
  const talk = connected(() => 1);
  talk.socket.drop();
  talk.connection.wake();
  talk.connection.wake();
  expect(talk.sockets).toHaveLength(2);
  vi.advanceTimersByTime(1_000);
  expect(talk.sockets).toHaveLength(2);
});

test("waking up with a dead connection finds out within five seconds", () => {
  const talk = connected();
  talk.connection.wake();
  expect(talk.socket.typesSent()).toEqual(["ping"]);
  vi.advanceTimersByTime(5_000);
  expect(talk.state).toBe("reconnecting");
});

test("waking up with a living connection changes nothing", () => {
  const talk = connected();
  talk.connection.wake();
  talk.socket.say("pong");
  vi.advanceTimersByTime(20_000);
  expect(talk.state).toBe("connected");
});

test("what is no message ends the connection, not the page", () => {
  for (const text of ["<html>", "[]", "null", ""]) {
    const talk = connected();
    talk.socket.sayText(text);
    expect(talk.state).toBe("reconnecting");
  }
});

test("messages of unknown types and odd shapes are passed over", () => {
  const talk = connected();
  talk.socket.say("client:connected", { clientCount: "3" });
  talk.socket.say("fleet:unheardOf", { a: 1 });
  talk.socket.say("snapshot", { state: [], cursor: "x" });
  talk.socket.say("gap", null);
  talk.socket.sayText('{"type":7}');
  talk.socket.sayText('{"type":"a:b","id":"11","data":{}}');
  talk.socket.sayEvents(11);
  expect(talk.told).toEqual(["event 11"]);
});

test("history is told apart from the events, and moves nothing", () => {
  const talk = connected();
  talk.connection.requestHistory(2);
  expect(talk.socket.sent).toEqual([{ type: "getHistory", limit: 2 }]);
  const item = { type: "a:b", time: "t", source: "s", data: {} };
  talk.socket.say("history", [{ ...item, id: 10 }, { ...item, id: 9 }, "odd"]);
  expect(talk.told).toEqual(["history 10,9"]);
  expect(talk.connection.cursor).toBe("e1:10");
});

test("how many clients there are is told as it changes", () => {
  const talk = connected();
  talk.socket.say("client:connected", { clientCount: 3 });
  talk.socket.say("client:disconnected", { clientCount: 2 });
  expect(talk.told).toEqual(["clients 3", "clients 2"]);
});

test("what the server refuses is told, and the connection goes on", () => {
  const talk = connected();
  talk.socket.say("error", { code: "forbidden", message: "This token may not read events." });
  talk.socket.sayEvents(11);
  expect(talk.told).toEqual(["refused forbidden: This token may not read events.", "event 11"]);
  expect(talk.state).toBe("connected");
});

test("closing is final, and leaves no timer behind", () => {
  const talk = connected();
  talk.connection.close();
  expect(talk.socket.closed).toBe(true);
  expect(talk.connection.status).toEqual({ state: "disconnected", reason: null, retryAt: null });
  expect(vi.getTimerCount()).toBe(0);
});

test("closing while it waits for the next attempt is final too", () => {
  const talk = connected();
  talk.socket.drop();
  talk.connection.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(talk.sockets).toHaveLength(1);
});

test("a closed connection may be opened again and goes on from its cursor", () => {
  const talk = connected();
  talk.connection.close();
  talk.connection.open();
  expect(talk.state).toBe("connecting");
  expect(talk.socket.url.searchParams.get("since")).toBe("e1:10");
});
