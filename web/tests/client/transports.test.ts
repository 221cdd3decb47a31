/** What each transport makes of what the server says, on the wire. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openEventStream } from "../../src/client/event-stream";
import { openLongPoll, openPolling } from "../../src/client/poll";
import type { TransportListener, TransportRequest } from "../../src/client/transport";
import { openWebSocket } from "../../src/client/websocket";
import { ENDPOINT, event } from "./fake-transport";

const REQUEST: TransportRequest = {
  endpoint: ENDPOINT,
  since: { epoch: "e1", id: 10 },
  token: undefined,
  pollingInterval: 1_000,
  heartbeatInterval: 30_000,
};
const GREETING = { clientId: "x_1", epoch: "e1", cursor: "e1:12", heartbeat: 5 };

let told: string[];
const listener: TransportListener = {
  greeted: ({ cursor, heartbeat, clientId }) =>
    told.push(`greeted ${cursor.epoch}:${cursor.id} ${heartbeat} ${clientId}`),
  event: (epoch, { id }) => told.push(`event ${epoch}:${id}`),
  gap: ({ from, to, reason, cursor }) => told.push(`gap ${from}-${to} ${reason} ${cursor.id}`),
  position: ({ epoch, id }) => told.push(`at ${epoch}:${id}`),
  heard: () => {},
  clients: (count) => told.push(`clients ${count}`),
  sent: () => told.push("sent"),
  failed: ({ reason, final, delay }) => told.push(`failed ${reason} ${final ?? false} ${delay}`),
};

beforeEach(() => {
  told = [];
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

class FakeSocket {
  static opened: FakeSocket[] = [];
  readonly sent: unknown[] = [];
  readyState = 1;
  onmessage: ((message: { data: unknown }) => void) | null = null;
  onclose: ((close: { code: number; reason: string }) => void) | null = null;

  readonly url: string;
  readonly protocols: string[];

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.opened.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 3;
  }

  say(type: string, data: unknown): void {
    this.onmessage?.({ data: JSON.stringify({ type, data }) });
  }
}

describe("the WebSocket", () => {
  function opened(request = REQUEST) {
    vi.stubGlobal("WebSocket", FakeSocket);
    const transport = openWebSocket(request, listener);
    const socket = FakeSocket.opened.at(-1) as FakeSocket;
    return { transport, socket };
  }

  test("asks for what came after the cursor", () => {
    expect(opened().socket).toMatchObject({ url: `${ENDPOINT.wsUrl}?since=e1%3A10`, protocols: [] });
    expect(opened({ ...REQUEST, since: null }).socket.url).toBe(ENDPOINT.wsUrl);
  });

  test("offers a token as a subprotocol", () => {
    const { socket } = opened({ ...REQUEST, token: "ü?>secret" });
    expect(socket.protocols[0]).toBe("mission-control");
    expect(socket.protocols[1]).toMatch(/^mission-control\.bearer\.[A-Za-z0-9_-]+$/);
  });

  test("tells greeting, events, gaps, positions and clients", () => {
    const { socket } = opened();
    socket.say("connected", GREETING);
    socket.onmessage?.({ data: JSON.stringify(event(11)) });
    socket.say("client:connected", { clientCount: 3 });
    socket.say("gap", { from: 1, to: 20, reason: "epoch", cursor: "e2:20" });
    socket.onmessage?.({ data: JSON.stringify(event(21)) });
    socket.say("ping", { cursor: "e2:21" });
    expect(told).toEqual([
      "greeted e1:12 5000 x_1",
      "event e1:11",
      "clients 3",
      "gap 1-20 epoch 20",
      "event e2:21",
      "sent",
      "at e2:21",
    ]);
    expect(socket.sent).toEqual([{ type: "pong" }]);
  });

  test("says that it lives at each heartbeat", () => {
    vi.useFakeTimers();
    const { transport, socket } = opened();
    socket.say("connected", GREETING);
    vi.advanceTimersByTime(10_000);
    expect(socket.sent).toEqual([{ type: "ping" }, { type: "ping" }]);
    transport.close();
    vi.advanceTimersByTime(60_000);
    expect(socket.sent).toHaveLength(2);
  });

  test.each([
    [1000, "", "failed The server cannot be reached. false undefined"],
    [1001, "", "failed The server is restarting. false undefined"],
    [1006, "", "failed The server cannot be reached. false undefined"],
    [1008, "token needed", "failed token needed true undefined"],
    [1008, "", "failed The server does not accept this page. true undefined"],
    [1009, "too big", "failed The server closed the connection: too big. false undefined"],
    [1011, "", "failed The server cannot be reached. false undefined"],
    [1013, "full", "failed The server closed the connection: full. false undefined"],
    [4008, "too slow", "failed The server closed the connection: too slow. false 0"],
    [4009, "no heartbeat", "failed The server closed the connection: no heartbeat. false 0"],
  ])("is told by the close code %i what to do", (code, reason, failure) => {
    const { socket } = opened();
    socket.onclose?.({ code, reason });
    expect(told).toEqual([failure]);
  });

  test("stays away as long as a server that restarts says", () => {
    const { socket } = opened();
    socket.say("server:draining", { reconnectAfter: 2.5 });
    socket.onclose?.({ code: 1001, reason: "" });
    expect(told).toEqual(["failed The server is restarting. false 2500"]);
  });

  test.each(["garbage", "[]", new ArrayBuffer(2)])("does not go on after %s", (data) => {
    const { socket } = opened();
    socket.onmessage?.({ data });
    expect(told).toEqual(["failed The server sent an invalid message. false undefined"]);
    expect(socket.readyState).toBe(3);
  });
});

/** A server whose answers to `fetch` the test gives. */
class FakeServer {
  readonly requests: { url: URL; init: RequestInit }[] = [];
  readonly #answers: (Response | Error)[];

  constructor(...answers: (Response | Error)[]) {
    this.#answers = answers;
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      this.requests.push({ url: new URL(url), init });
      const answer = this.#answers.shift();
      if (answer === undefined) {
        return new Promise((_, reject) => {
          init.signal?.addEventListener("abort", () => reject(new Error("aborted")));
        });
      }
      if (answer instanceof Error) {
        throw answer;
      }
      return answer;
    });
  }
}

function problem(status: number, detail: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ detail }), { status, headers });
}

describe("the event stream", () => {
  function stream(...chunks: string[]): Response {
    const encoder = new TextEncoder();
    return new Response(
      new ReadableStream({
        start(controller) {
          for (const chunk of chunks) {
            controller.enqueue(encoder.encode(chunk));
          }
          controller.close();
        },
      }),
    );
  }

  async function read(...chunks: string[]): Promise<FakeServer> {
    const server = new FakeServer(stream(...chunks));
    openEventStream(REQUEST, listener);
    await vi.waitFor(() => expect(told.at(-1)).toMatch(/^failed/));
    return server;
  }

  test("tells everything, however it is cut", async () => {
    const text = [
      "retry: 900\n\n",
      `event: connected\ndata: ${JSON.stringify(GREETING)}\n\n`,
      `id: e1:11\ndata: ${JSON.stringify({ ...event(11), data: { text: "ü: \\n" } })}\n\n`,
      ": heartbeat\nid: e1:11\n\n",
      'event: client:connected\ndata: {"clientCount":2}\n\n',
      'id: e1:20\nevent: gap\ndata: {"from":12,"to":20,"reason":"trimmed","cursor":"e1:20"}\n\n',
      `id: e1:21\ndata: ${JSON.stringify(event(21))}\n\n`,
    ].join("");
    const all = [
      "greeted e1:12 5000 x_1",
      "event e1:11",
      "at e1:11",
      "clients 2",
      "gap 12-20 trimmed 20",
      "event e1:21",
    ];
    for (const size of [1, 7, 1000]) {
      told = [];
      const chunks = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
      const server = await read(...chunks);
      expect(told.slice(0, -1)).toEqual(all);
      expect(server.requests[0]?.url.search).toBe("?since=e1%3A10");
    }
  });

  test("stays away as long as a server that restarts says", async () => {
    await read('event: server:draining\ndata: {"reconnectAfter":3}\n\n');
    expect(told).toEqual(["failed The server is restarting. false 3000"]);
  });

  test("does not go on after garbage", async () => {
    await read("data: [1\n\n");
    expect(told).toEqual(["failed The server sent an invalid message. false undefined"]);
  });

  test("is silent once it is closed", async () => {
    new FakeServer();
    openEventStream(REQUEST, listener).close();
    await new Promise((resolve) => setTimeout(resolve));
    expect(told).toEqual([]);
  });
});

describe.each([
  ["event stream", openEventStream],
  ["long-poll", openLongPoll],
  ["polling", openPolling],
])("a refusal of the %s", (_, open) => {
  test.each([
    [problem(401, "A token is needed."), "failed A token is needed. true undefined"],
    [problem(403, "Not for you."), "failed Not for you. true undefined"],
    [problem(404, "Not here."), "failed Not here. false undefined"],
    [problem(503, "Later.", { "retry-after": "7" }), "failed Later. false 7000"],
    [new Response("<html>", { status: 502 }), "failed HTTP 502. false undefined"],
    [new TypeError("Failed to fetch"), "failed The server cannot be reached. false undefined"],
  ])("says what to do: %#", async (answer, failure) => {
    new FakeServer(answer instanceof Response ? answer.clone() : answer);
    open(REQUEST, listener);
    await vi.waitFor(() => expect(told).toEqual([failure]));
  });
});

describe("polling", () => {
  function page(cursor: string, ...ids: number[]): Response {
    return new Response(JSON.stringify({ events: ids.map((id) => event(id)), cursor }));
  }

  test("reads page after page, and waits only where there is something to wait for", async () => {
    const server = new FakeServer(page("e1:12", 11, 12), page("e1:13", 13));
    const transport = openLongPoll(REQUEST, listener);
    await vi.waitFor(() => expect(server.requests).toHaveLength(3));
    expect(told).toEqual([
      "greeted e1:10 35000 null",
      "event e1:11",
      "event e1:12",
      "at e1:12",
      "event e1:13",
      "at e1:13",
    ]);
    const asked = server.requests.map(({ url }) => [
      url.searchParams.get("since"),
      url.searchParams.get("wait"),
    ]);
    expect(asked).toEqual([
      ["e1:10", "0"],
      ["e1:12", "25"],
      ["e1:13", "25"],
    ]);
    transport.close();
    await new Promise((resolve) => setTimeout(resolve));
    expect(told.at(-1)).toBe("at e1:13");
  });

  test("comes back when a server that stops says so, with what came before", async () => {
    const last = { events: [event(13)], cursor: "e1:13", reconnectAfter: 2.5 };
    new FakeServer(page("e1:12", 12), new Response(JSON.stringify(last)));
    openLongPoll(REQUEST, listener);
    await vi.waitFor(() => expect(told.at(-1)).toBe("failed The server is restarting. false 2500"));
    expect(told.slice(-3, -1)).toEqual(["event e1:13", "at e1:13"]);
  });

  test("without waiting asks again at its interval", async () => {
    vi.useFakeTimers();
    const server = new FakeServer(page("e1:11", 11), page("e1:11"), page("e1:12", 12));
    openPolling(REQUEST, listener);
    await vi.advanceTimersByTimeAsync(0);
    const first = server.requests.length;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.requests.length).toBeGreaterThan(first);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(told.filter((line) => line.startsWith("event"))).toEqual(["event e1:11", "event e1:12"]);
    expect(server.requests.every(({ url }) => url.searchParams.get("wait") === "0")).toBe(true);
  });

  test("tells of a gap before the events behind it", async () => {
    const body = {
      events: [event(21)],
      cursor: "e2:21",
      gap: { from: 11, to: 20, reason: "epoch", cursor: "e2:20" },
    };
    new FakeServer(new Response(JSON.stringify(body)));
    openLongPoll(REQUEST, listener);
    await vi.waitFor(() => expect(told).toHaveLength(4));
    expect(told.slice(1)).toEqual(["gap 11-20 epoch 20", "event e2:21", "at e2:21"]);
  });
});
