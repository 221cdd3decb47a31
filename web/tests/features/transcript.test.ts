import { afterEach, expect, test, vi } from "vitest";
import { pageIn, TranscriptReader } from "../../src/features/transcripts/transcript";
import { parsePath, pathOfSession } from "../../src/page/route";

afterEach(() => {
  vi.unstubAllGlobals();
});

function said(number: number) {
  return { id: String(number), time: new Date(1000 * number).toISOString(), role: "user", text: `${number}` };
}

/** Answer like a server that keeps so many messages, by pages of two. */
function keep(messages: { last: number }) {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    const query = new URL(path, "http://server").searchParams;
    const all = Array.from({ length: messages.last }, (_, place) => said(place + 1));
    const [before, after] = [query.get("before"), query.get("after")].map(Number);
    const found = all.filter(({ id }) => (!before || Number(id) < before) && Number(id) > (after ?? 0));
    const page = after ? found.slice(0, 2) : found.slice(-2);
    const first = Number(page[0]?.id ?? 0);
    return Response.json({
      session: "s",
      agentId: "scout",
      runtime: "claude",
      messages: page,
      ...(first > 1 ? { older: String(first) } : {}),
    });
  });
  return asked;
}

function shown(reader: TranscriptReader): string[] {
  return reader.page.value?.messages.map(({ text }) => text) ?? [];
}

test("pages are put in front of what is shown, and what is new behind it", async () => {
  const kept = { last: 5 };
  keep(kept);
  const reader = new TranscriptReader("s");
  await reader.begin(null);
  expect(shown(reader)).toEqual(["4", "5"]);
  await reader.readOlder();
  await reader.readOlder();
  await reader.readOlder();
  expect(shown(reader)).toEqual(["1", "2", "3", "4", "5"]);
  expect(reader.page.value?.older).toBeNull();
  kept.last = 6;
  await reader.follow();
  expect(shown(reader)).toEqual(["1", "2", "3", "4", "5", "6"]);
});

test("what comes while a page is being read is read after it, once", async () => {
  const asked = keep({ last: 2 });
  const reader = new TranscriptReader("s");
  await Promise.all([reader.begin(null), reader.follow(), reader.follow()]);
  expect(shown(reader)).toEqual(["1", "2"]);
  expect(asked).toHaveLength(2);
});

test("a refusal is told, and what was shown stays", async () => {
  keep({ last: 1 });
  const reader = new TranscriptReader("s");
  await reader.begin(null);
  vi.stubGlobal("fetch", async () => Response.json({ detail: "Ask again." }, { status: 503 }));
  await reader.follow();
  expect(shown(reader)).toEqual(["1"]);
  expect(reader.trouble.value).toContain("Ask again.");
});

test("what is no message is left out", () => {
  const page = pageIn({ messages: [said(1), { ...said(2), role: "god" }, { ...said(3), id: 3 }, null] });
  expect(page.messages.map(({ id }) => id)).toEqual(["1"]);
  expect(pageIn(null)).toEqual({ agentId: null, runtime: null, messages: [], older: null, newer: null });
});

test("a transcript has its address, and each message in it", () => {
  expect(parsePath(pathOfSession("a/b c"))).toEqual({ view: "session", id: "a/b c", message: null });
  expect(parsePath(pathOfSession("s", "75"))).toEqual({ view: "session", id: "s", message: "75" });
  expect(parsePath("/sessions")).toEqual({ view: "nowhere", path: "/sessions" });
});
