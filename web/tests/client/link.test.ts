import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Link } from "../../src/client/link";
import type { TransportName } from "../../src/client/transport";
import { Conversation, OPTIONS } from "./fake-transport";

const LIVE: TransportName[] = ["websocket", "sse", "long-poll"];

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Let the time go by until the next attempt; returns how long that was. */
function waitOut({ link }: Conversation): number {
  const delay = Math.max(0, (link.status.retryAt ?? 0) - Date.now());
  vi.advanceTimersByTime(delay);
  return delay;
}

describe.each(LIVE)("over %s", (transport) => {
  function connected(options = {}): Conversation {
    const conversation = new Conversation({ transports: [transport, "polling"], ...options });
    conversation.last.greet();
    return conversation;
  }

  test("it is connected once the server has greeted", () => {
    const conversation = new Conversation({ transports: [transport] });
    expect(conversation.state).toBe("connecting");
    conversation.last.greet();
    expect(conversation.link.status).toMatchObject({ state: "connected", transport, reason: null });
  });

  test("events come in order and once", () => {
    const conversation = connected();
    conversation.last.say(11, 12, 12, 11, 13);
    expect(conversation.told).toEqual(["at e1:10", "event e1:11", "event e1:12", "event e1:13"]);
  });

  test("it comes back by the same way first, from where it was", () => {
    const conversation = connected();
    conversation.last.say(11);
    conversation.last.fail();
    expect(conversation.link.status).toMatchObject({ state: "reconnecting", reason: "It broke." });
    vi.advanceTimersByTime(1_000);
    expect(conversation.opened).toHaveLength(2);
    expect(conversation.last).toMatchObject({ name: transport, since: "e1:11" });
    conversation.last.greet();
    expect(conversation.state).toBe("connected");
  });

  test("a delay that the server names is kept", () => {
    const conversation = connected();
    conversation.last.fail({ delay: 7_000 });
    expect(conversation.link.status.retryAt).toBe(Date.now() + 7_000);
    vi.advanceTimersByTime(6_999);
    expect(conversation.opened).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(conversation.opened).toHaveLength(2);
  });

  test("a refusal for good ends it", () => {
    const conversation = connected();
    conversation.last.fail({ reason: "Not you.", final: true });
    expect(conversation.link.status).toMatchObject({
      state: "disconnected",
      refused: true,
      reason: "Not you.",
    });
    vi.advanceTimersByTime(600_000);
    expect(conversation.opened).toHaveLength(1);
  });

  test("a server that is silent for two heartbeats is lost at once", () => {
    const conversation = connected();
    vi.advanceTimersByTime(50_000);
    conversation.last.beat(10);
    vi.advanceTimersByTime(59_000);
    expect(conversation.state).toBe("connected");
    vi.advanceTimersByTime(1_100);
    expect(conversation.opened).toHaveLength(2);
    expect(conversation.opened[0]?.closed).toBe(true);
  });

  test("a server that does not greet is given up", () => {
    const conversation = new Conversation({ transports: [transport] });
    vi.advanceTimersByTime(10_000);
    expect(conversation.last.closed).toBe(true);
    expect(conversation.link.status.reason).toBe("The server does not answer.");
  });

  test("attempts that are used up end in polling, and it goes on trying", () => {
    const conversation = connected();
    conversation.last.say(11);
    for (let attempt = 0; attempt <= 3; attempt += 1) {
      conversation.last.fail();
      waitOut(conversation);
    }
    expect(conversation.state).toBe("polling");
    const poll = conversation.opened.find(({ name }) => name === "polling");
    expect(poll?.since).toBe("e1:11");
    poll?.greet(11);
    expect(conversation.link.status).toMatchObject({ state: "polling", reason: null });
    vi.advanceTimersByTime(10_000);
    expect(conversation.last.name).toBe(transport);
    conversation.last.greet(11);
    expect(conversation.link.status).toMatchObject({ state: "connected", transport });
    expect(poll?.closed).toBe(true);
  });

  test("a way that is lost again and again as soon as it greets ends in polling too", () => {
    const conversation = connected();
    for (let loss = 0; loss <= 3; loss += 1) {
      expect(conversation.state).toBe("connected");
      conversation.last.fail();
      waitOut(conversation);
      conversation.last.greet();
    }
    expect(conversation.state).toBe("polling");
  });

  test("a way that has settled may be lost as often as it likes", () => {
    const conversation = connected();
    for (let loss = 0; loss <= 6; loss += 1) {
      vi.advanceTimersByTime(5_000);
      conversation.last.fail();
      expect(conversation.state).toBe("reconnecting");
      waitOut(conversation);
      conversation.last.greet();
    }
    expect(conversation.state).toBe("connected");
  });

  test("a link that is taken over connects again at once, from where it was, as often as that happens", () => {
    const conversation = connected();
    conversation.last.say(11);
    for (let page = 0; page <= 6; page += 1) {
      const { last } = conversation;
      conversation.link.renew();
      expect(last.closed).toBe(true);
      expect(conversation.state).toBe("connecting");
      expect(conversation.last).toMatchObject({ name: transport, since: "e1:11" });
      conversation.last.greet(11);
      expect(conversation.state).toBe("connected");
    }
  });

  test("a link that is taken over while it waits does not wait any longer", () => {
    const conversation = connected();
    conversation.last.fail({ delay: 7_000 });
    conversation.link.renew();
    conversation.last.greet();
    expect(conversation.state).toBe("connected");
    vi.advanceTimersByTime(8_000);
    expect(conversation.opened).toHaveLength(2);
  });

  test("polling that fails says so, and is tried at each interval", () => {
    const conversation = new Conversation({ transports: [transport, "polling"], maxReconnectAttempts: 1 });
    conversation.last.fail();
    expect(conversation.state).toBe("polling");
    conversation.last.fail({ reason: "Still away." });
    expect(conversation.link.status).toMatchObject({ state: "polling", reason: "Still away." });
    const polls = conversation.names.filter((name) => name === "polling").length;
    vi.advanceTimersByTime(30_000);
    expect(conversation.names.filter((name) => name === "polling")).toHaveLength(polls + 1);
  });

  test("without polling, attempts that are used up end it, and it says why", () => {
    const conversation = connected({ enablePolling: false });
    for (let attempt = 0; attempt <= 3; attempt += 1) {
      conversation.last.fail();
      waitOut(conversation);
    }
    expect(conversation.link.status).toMatchObject({ state: "disconnected", reason: "It broke." });
  });

  test("a gap moves it, also backwards", () => {
    const conversation = connected();
    conversation.last.say(11);
    conversation.last.sayGap(5);
    conversation.last.say(6);
    expect(conversation.told.slice(2)).toEqual(["gap", "event e1:6"]);
  });

  test("once closed it does nothing any more", () => {
    const conversation = connected();
    const transportThen = conversation.last;
    conversation.link.close();
    transportThen.say(11);
    transportThen.fail();
    vi.advanceTimersByTime(600_000);
    expect(conversation.link.status).toMatchObject({ state: "disconnected", reason: null });
    expect(conversation.opened).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("opened again it goes on where it was", () => {
    const conversation = connected();
    conversation.last.say(11);
    conversation.link.close();
    conversation.link.open();
    expect(conversation.last.since).toBe("e1:11");
  });

  test("whoever wakes it while it waits makes it try at once", () => {
    const conversation = connected();
    conversation.last.fail();
    conversation.link.wake();
    expect(conversation.opened).toHaveLength(2);
    vi.advanceTimersByTime(1_000);
    expect(conversation.opened).toHaveLength(2);
  });

  test("a cut is a loss like any other", () => {
    const conversation = connected();
    conversation.link.cut();
    expect(conversation.state).toBe("reconnecting");
    vi.advanceTimersByTime(1_000);
    conversation.last.greet();
    expect(conversation.state).toBe("connected");
  });
});

test("delays are random below a ceiling that grows to its bound", () => {
  const conversation = new Conversation({ transports: ["websocket"], maxReconnectAttempts: 100 });
  const delays: number[] = [];
  for (let attempt = 0; attempt < 7; attempt += 1) {
    conversation.random = attempt % 2 ? 1 : 0.5;
    conversation.last.fail();
    delays.push(waitOut(conversation));
  }
  expect(delays).toEqual([500, 2_000, 2_000, 8_000, 8_000, 30_000, 15_000]);
});

test("an attempt tries every way from the best down, and the server that answers is kept", () => {
  const other = { wsUrl: "ws://localhost:3002/api/ws", apiUrl: "http://localhost:3001" };
  const conversation = new Conversation({
    endpoints: [{ wsUrl: "ws://page/api/ws", apiUrl: "http://page" }, other],
  });
  for (let way = 0; way < 3; way += 1) {
    conversation.last.fail();
  }
  expect(conversation.names).toEqual(["websocket", "sse", "long-poll", "websocket"]);
  conversation.last.greet();
  expect(conversation.link.status.endpoint).toEqual(other);
  conversation.last.fail();
  vi.advanceTimersByTime(1_000);
  conversation.failAll();
  expect(conversation.opened.slice(4).every(({ request }) => request.endpoint === other)).toBe(true);
});

test("on a lesser transport a better one is tried meanwhile, and taken without a loss", () => {
  const conversation = new Conversation();
  conversation.last.fail();
  const sse = conversation.last;
  sse.greet();
  sse.say(11);
  vi.advanceTimersByTime(5_000);
  const websocket = conversation.last;
  expect(websocket).toMatchObject({ name: "websocket", since: "e1:11" });
  sse.say(12);
  websocket.greet(12);
  sse.say(13);
  websocket.say(12, 13);
  expect(sse.closed).toBe(true);
  expect(conversation.told).toEqual(["at e1:10", "event e1:11", "event e1:12", "at e1:12", "event e1:13"]);
});

test("a better transport that fails costs nothing, and is tried again later", () => {
  const conversation = new Conversation();
  conversation.last.fail();
  conversation.last.greet();
  for (const delay of [5_000, 10_000, 20_000]) {
    const before = conversation.opened.length;
    vi.advanceTimersByTime(delay);
    conversation.opened[1]?.beat(10);
    expect(conversation.opened).toHaveLength(before + 1);
    conversation.last.fail();
  }
  expect(conversation.link.status).toMatchObject({ state: "connected", transport: "sse" });
});

test("whoever wakes a WebSocket has it asked, and lost where it does not answer", () => {
  const conversation = new Conversation();
  conversation.last.greet();
  conversation.link.wake();
  conversation.last.beat(10);
  vi.advanceTimersByTime(6_000);
  expect(conversation.state).toBe("connected");
  conversation.link.wake();
  vi.advanceTimersByTime(5_000);
  expect(conversation.state).toBe("reconnecting");
});

test("whoever wakes a stream has another opened in its place", () => {
  const conversation = new Conversation({ transports: ["sse"] });
  const first = conversation.last;
  first.greet();
  conversation.link.wake();
  expect(conversation.opened).toHaveLength(2);
  expect(first.closed).toBe(false);
  conversation.last.greet();
  expect(first.closed).toBe(true);
  expect(conversation.state).toBe("connected");
  conversation.link.wake();
  conversation.last.fail();
  expect(conversation.state).toBe("reconnecting");
});

test("a machine that has slept asks whether the connection still lives", () => {
  const conversation = new Conversation();
  conversation.last.greet();
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(5_000);
  expect(conversation.last.probes).toBe(1);
});

test("transports may be changed while it runs", () => {
  const conversation = new Conversation();
  conversation.last.greet();
  conversation.last.say(11);
  conversation.link.use(["long-poll"]);
  expect(conversation.opened[0]?.closed).toBe(true);
  expect(conversation.last).toMatchObject({ name: "long-poll", since: "e1:11" });
  conversation.last.greet();
  expect(conversation.link.status.transport).toBe("long-poll");
});

test("a browser that forbids a connection is an attempt in vain", async () => {
  const open = () => {
    throw new Error("SecurityError");
  };
  const listener = { status() {}, event() {}, position() {}, gap() {}, clients() {}, counted() {} };
  const all = { websocket: open, sse: open, "long-poll": open, polling: open };
  const link = new Link(OPTIONS, listener, { open: all, random: () => 1 });
  link.open();
  await vi.advanceTimersByTimeAsync(0);
  expect(link.status).toMatchObject({ attempts: 1, reason: "The browser does not allow this connection." });
  link.close();
});
