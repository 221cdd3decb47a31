/** The client as an application uses it, over a WebSocket and a server that the test plays. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RealtimeOptions } from "../../src/realtime/options";
import { MCRealtimeClient } from "../../src/realtime/realtime-client";
import { event } from "../client/fake-transport";

class FakeSocket {
  static opened: FakeSocket[] = [];
  readonly url: string;
  readyState = 1;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((close: { code: number; reason: string }) => void) | null = null;

  constructor(url: string) {
    this.url = url;
    FakeSocket.opened.push(this);
  }

  send(): void {}

  close(): void {}

  greet(id = 0): void {
    const data = { clientId: "ws_abc", epoch: "e1", cursor: `e1:${id}`, heartbeat: 30 };
    this.onmessage?.({ data: JSON.stringify({ type: "connected", data }) });
  }

  say(id: number, type: string, data: object = { id }): void {
    this.onmessage?.({ data: JSON.stringify({ ...event(id, type), data }) });
  }

  drop(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason });
  }
}

let answers: Record<string, unknown>;
const clients: MCRealtimeClient[] = [];

beforeEach(() => {
  FakeSocket.opened = [];
  answers = {
    "/api/snapshot": { state: { agents: [{ id: "scout", status: "idle" }] }, cursor: "e1:0" },
    "/api/system/events": [],
  };
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("fetch", async (url: string) => {
    const answer = answers[new URL(url).pathname];
    return answer === undefined
      ? new Response('{"detail":"Not here."}', { status: 404 })
      : new Response(JSON.stringify(answer));
  });
});

afterEach(() => {
  for (const client of clients.splice(0)) {
    client.disconnect();
  }
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function made(options: RealtimeOptions = {}): MCRealtimeClient {
  const client = new MCRealtimeClient({ apiUrl: "http://127.0.0.1:3001", share: false, ...options });
  clients.push(client);
  return client;
}

async function connected(options: RealtimeOptions = {}) {
  const client = made(options);
  const promise = client.connect();
  const socket = FakeSocket.opened.at(-1) as FakeSocket;
  socket.greet();
  await promise;
  return { client, socket };
}

test("it has the defaults of the earlier client", () => {
  const { config } = made();
  expect(config).toMatchObject({
    wsUrl: "ws://127.0.0.1:3001/api/ws",
    apiUrl: "http://127.0.0.1:3001",
    reconnectInterval: 1000,
    maxReconnectInterval: 30000,
    reconnectDecay: 1.5,
    maxReconnectAttempts: 10,
    heartbeatInterval: 30000,
    enablePolling: true,
    pollingInterval: 30000,
    messageHistoryLimit: 100,
    debug: false,
  });
});

test("it connects by itself, once", async () => {
  const client = made();
  void client.connect();
  await Promise.resolve();
  expect(FakeSocket.opened).toHaveLength(1);
});

test("it does not connect by itself where it is told not to, or was disconnected before", async () => {
  made({ autoConnect: false });
  made().disconnect();
  await Promise.resolve();
  expect(FakeSocket.opened).toHaveLength(0);
});

test("connecting is done when the state is there", async () => {
  const { client } = await connected();
  expect(client.state?.agents[0]?.id).toBe("scout");
  expect(client.isConnected()).toBe(true);
  expect(client.getState()).toMatchObject({
    state: "connected",
    clientId: "ws_abc",
    connected: true,
    transport: "websocket",
    stale: false,
    cursor: "e1:0",
  });
});

test("without the state nothing is asked for it", async () => {
  const { client } = await connected({ state: false });
  expect(client.state).toBeNull();
});

test("a refusal breaks the promise, and is an error", async () => {
  const client = made();
  const promise = client.connect();
  const told: unknown[] = [];
  client.addEventListener("error", (error) => told.push((error as CustomEvent).detail));
  FakeSocket.opened[0]?.drop(1008, "a token is needed");
  await expect(promise).rejects.toThrow("a token is needed");
  expect(client.getState()).toMatchObject({ state: "error", reason: "a token is needed", stale: true });
  expect(told).toEqual([{ error: "a token is needed", state: "error" }]);
});

test("disconnecting breaks the promise, and nothing comes any more", async () => {
  const client = made();
  const promise = client.connect();
  client.disconnect();
  await expect(promise).rejects.toThrow("Disconnected.");
  expect(client.getState()).toMatchObject({ state: "disconnected", reason: null });
});

test("states are told as they change", async () => {
  const client = made();
  const states: string[] = [];
  client.addEventListener("stateChange", (change) => states.push((change as CustomEvent).detail.state));
  const promise = client.connect();
  FakeSocket.opened[0]?.greet();
  await promise;
  FakeSocket.opened[0]?.drop();
  client.disconnect();
  expect(states).toEqual(["connecting", "connected", "reconnecting", "disconnected"]);
});

describe("handlers", () => {
  test("get the data, and the event as the second", async () => {
    const { client, socket } = await connected();
    const told: unknown[] = [];
    client.on("agent:statusChange", (data, whole) => told.push([data.agentId, whole.id]));
    client.addEventListener("agent:statusChange", (one) => told.push((one as CustomEvent).detail));
    socket.say(1, "agent:statusChange", { agentId: "scout", status: "busy" });
    expect(told).toEqual([{ agentId: "scout", status: "busy" }, ["scout", 1]]);
  });

  test("of patterns get what they match", async () => {
    const { client, socket } = await connected();
    const told: string[] = [];
    for (const pattern of ["*", "agent:*", "agent", "agent:activity", "task:*"]) {
      client.on(pattern, (_, { type }) => told.push(`${pattern} ${type}`));
    }
    socket.say(1, "agent:activity");
    expect(told.sort()).toEqual([
      "* agent:activity",
      "agent agent:activity",
      "agent:* agent:activity",
      "agent:activity agent:activity",
    ]);
  });

  test("that throw harm nobody else", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const { client, socket } = await connected();
    const told: number[] = [];
    client.on("custom:event", () => {
      throw new Error("mine");
    });
    client.on("custom:event", (_, { id }) => told.push(id));
    socket.say(1, "custom:event");
    socket.say(2, "custom:event");
    expect(told).toEqual([1, 2]);
    expect(error).toHaveBeenCalledTimes(2);
    error.mockRestore();
  });

  test("that are taken away hear nothing more", async () => {
    const { client, socket } = await connected();
    const told: number[] = [];
    const handler = (_: unknown, { id }: { id: number }) => told.push(id);
    client.on("custom:event", handler);
    socket.say(1, "custom:event");
    client.off("custom:event", handler);
    socket.say(2, "custom:event");
    expect(told).toEqual([1]);
  });
});

describe("subscriptions", () => {
  async function hearing(prepare: (client: MCRealtimeClient) => void) {
    const { client, socket } = await connected();
    const told: string[] = [];
    client.addEventListener("message", (message) => told.push((message as CustomEvent).detail.type));
    prepare(client);
    ["agent:activity", "agent:removed", "task:created", "custom:event"].forEach((type, place) => {
      socket.say(place + 1, type);
    });
    return { client, told };
  }

  test("without any, everything comes", async () => {
    const { told } = await hearing(() => {});
    expect(told).toHaveLength(4);
  });

  test("only what was subscribed to comes, and what has a handler", async () => {
    const { client, told } = await hearing((one) => one.subscribe("agent:*").on("custom:event", () => {}));
    expect(told).toEqual(["agent:activity", "agent:removed", "custom:event"]);
    expect(client.getState().subscriptions).toEqual(["agent:*", "custom:event"]);
  });

  test("a handler does not narrow what comes", async () => {
    const { told } = await hearing((client) => client.on("task:created", () => {}));
    expect(told).toHaveLength(4);
  });

  test("may be taken back, one by one or all", async () => {
    const one = await hearing((client) =>
      client.subscribe(["agent:activity", "task:created"]).unsubscribe("task:created"),
    );
    expect(one.told).toEqual(["agent:activity"]);
    const all = await hearing((client) => client.subscribeAll().clearSubscriptions());
    expect(all.told).toEqual([]);
  });

  test("that are no patterns are refused with what to write", () => {
    expect(() => made().subscribe(["agent:*", "agent:"])).toThrow(/"agent:" is no pattern; use a type/);
  });
});

test("the history holds the newest events, newest first, each once", async () => {
  answers["/api/system/events"] = [3, 2, 1].map((id) => ({ ...event(id), _timestamp: id }));
  const { client, socket } = await connected({ messageHistoryLimit: 4 });
  await vi.waitFor(() => expect(client.getHistory()).toHaveLength(3));
  socket.say(1, "custom:event");
  socket.say(2, "custom:event");
  socket.say(3, "custom:event");
  socket.say(4, "custom:event");
  socket.say(5, "custom:event");
  expect(client.getHistory().map(({ id }) => id)).toEqual([5, 4, 3, 2]);
  expect(client.getHistory(1)).toHaveLength(1);
});

test("metrics count what came, went and broke", async () => {
  vi.useFakeTimers();
  const { client, socket } = await connected();
  socket.say(1, "custom:event");
  await vi.advanceTimersByTimeAsync(5_000);
  socket.drop();
  await vi.advanceTimersByTimeAsync(1_000);
  FakeSocket.opened.at(-1)?.greet(1);
  expect(client.getState().metrics).toMatchObject({ reconnects: 1, reconnectCount: 1, gaps: 0 });
  expect(client.metrics.messagesReceived).toBeGreaterThan(0);
  expect(client.metrics.totalUptime).toBeGreaterThanOrEqual(5_000);
  expect(client.metrics.lastConnectedAt).not.toBeNull();
});

test("after attempts in vain it polls the earlier server's lists", async () => {
  answers["/api/agents"] = [{ id: "scout" }];
  answers["/api/tasks"] = [];
  const client = made({ maxReconnectAttempts: 1, transports: ["websocket", "polling"], state: false });
  const updates: unknown[] = [];
  client.addEventListener("poll:update", (update) => updates.push((update as CustomEvent).detail));
  const promise = client.connect();
  FakeSocket.opened[0]?.drop();
  await promise;
  expect(client.isPolling()).toBe(true);
  await vi.waitFor(() => expect(updates).toEqual([{ agents: [{ id: "scout" }], tasks: [], events: [] }]));
});

test("an event is published with a key of its own, and again where that failed", async () => {
  vi.useFakeTimers();
  const { client } = await connected();
  const bodies: { key: string }[] = [];
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    bodies.push(JSON.parse(String(init.body)));
    if (bodies.length === 1) {
      throw new TypeError("Failed to fetch");
    }
    return new Response('{"ids":[7],"cursor":"e1:7"}', { status: 201 });
  });
  const published = client.publish("custom:event", { a: 1 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await published).toEqual({ ids: [7], cursor: "e1:7" });
  expect(bodies[1]).toEqual({ type: "custom:event", data: { a: 1 }, key: bodies[0]?.key });
});

test("a publication that is refused says why, at once", async () => {
  const { client } = await connected();
  vi.stubGlobal("fetch", async () => new Response('{"detail":"That is no type."}', { status: 400 }));
  await expect(client.publish("nonsense")).rejects.toThrow("That is no type.");
});

test("transports that do not exist are refused with those that do", () => {
  const client = made();
  expect(() => client.useTransports(["pigeon" as never])).toThrow(/websocket, sse, long-poll, polling/);
});
