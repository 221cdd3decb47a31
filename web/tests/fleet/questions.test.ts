import { expect, test } from "vitest";
import { noticeOf } from "../../src/dashboard/notices";
import { elsewhere, openQuestions, outcomeOf, pastQuestions, withAskers } from "../../src/fleet/asking";
import { needsOf } from "../../src/fleet/attention";
import { changedLines, readReview } from "../../src/fleet/review";
import { Coverage, IN_SIGHT_MS } from "../../src/parts/questions/coverage";
import { EMPTY_STATE, type Question } from "../../src/state";

const AGENT = { id: "scout", name: "Scout", kind: "busy", status: "busy" } as const;

function asked(id: string, more: Partial<Question> = {}): Question {
  return {
    id,
    kind: "question",
    text: "Deploy?",
    options: [],
    agentId: "scout",
    askedAt: "2026-11-23T10:15:00Z",
    status: "open",
    event: 1,
    ...more,
  };
}

test("whoever has waited longest comes first, and of what is over the newest", () => {
  const [a, b] = [asked("a", { askedAt: "2026-11-23T10:16:00Z" }), asked("b")];
  const [c, d] = [asked("c", { status: "closed", event: 7 }), asked("d", { status: "answered", event: 9 })];
  expect(openQuestions([a, b, c, d])).toEqual([b, a]);
  expect(pastQuestions([a, b, c, d])).toEqual([d, c]);
});

test("an agent that has asked something waits, whatever else it says", () => {
  const fleet = { ...EMPTY_STATE, agents: [AGENT, { ...AGENT, id: "forge" }], questions: [asked("a")] };
  const [scout, forge] = withAskers(fleet).agents;
  expect(scout).toMatchObject({ kind: "waiting", status: "asks you", statusDetail: "Deploy?", asks: "a" });
  expect(forge).toBe(fleet.agents[1]);
  const answered = { ...fleet, questions: [asked("a", { status: "answered" })] };
  expect(withAskers(answered)).toBe(answered);
});

test("a question stands once among what needs a person", () => {
  const fleet = withAskers({ ...EMPTY_STATE, agents: [AGENT], questions: [asked("a")] });
  const needs = needsOf(fleet.agents, [], openQuestions(fleet.questions), () => "Scout");
  expect(needs).toMatchObject([{ key: "question-a", subject: "Scout", path: "/questions" }]);
  expect(needs[0]?.text).toContain("Deploy?");
});

test("a permission that only the terminal can give says so", () => {
  const permission = asked("a", {
    kind: "permission",
    details: { note: "It is answered there.", command: "rm -r x" },
  });
  expect(elsewhere(permission)).toBe("It is answered there.");
  expect(elsewhere({ ...permission, options: ["allow", "deny"] })).toBeNull();
  expect(elsewhere(asked("a"))).toBeNull();
});

test("what became of a question is a sentence", () => {
  const said = outcomeOf(asked("a", { status: "answered", answer: "yes", answeredBy: "anna" }));
  expect(said).toContain("anna");
  expect(said).toContain("yes");
  expect(outcomeOf(asked("a", { status: "closed", reason: "expired" }))).toBe("Its time was up");
});

test("a question is told as it comes", () => {
  const event = {
    id: 1,
    type: "question:asked",
    time: "2026-11-23T10:15:00Z",
    source: "api",
    data: { question: { text: "Deploy?", agentId: "scout" } },
  };
  expect(noticeOf(event, () => "Scout")).toMatchObject({
    path: "/questions",
    agent: "scout",
    level: "warning",
  });
});

test("a review is read whole, or not at all", () => {
  const parts = [
    { kind: "text", text: "Allow Bash?" },
    { kind: "code", text: "ls", label: "Command" },
  ];
  const options = [
    { text: "deny", label: "deny" },
    { text: "allow", label: "allow", dangerous: true },
  ];
  expect(readReview({ review: { digest: "d", parts, options } })).toEqual({
    digest: "d",
    parts: [{ kind: "text", text: "Allow Bash?", label: null }, parts[1]],
    options: [
      { text: "deny", label: "deny", dangerous: false, refuses: false },
      { ...options[1], refuses: false },
    ],
    complete: true,
  });
  expect(readReview({ review: { digest: "d", parts: [...parts, { kind: "film" }], options } })).toBeNull();
  expect(readReview({ review: { digest: "d", parts, options: ["allow"] } })).toBeNull();
  expect(readReview({ review: { parts, options } })).toBeNull();
  expect(readReview({})).toBeNull();
  expect(readReview({ review: { digest: "d", parts, options, complete: false } })?.complete).toBe(false);
});

test("what refuses is what the server says, and no word that is read here", () => {
  const parts = [{ kind: "text", text: "Deploy?" }];
  const options = [
    { text: "deny", label: "deny", refuses: true },
    { text: "No objections, run it", label: "No objections, run it" },
    { text: "no", label: "no", refuses: "yes" },
  ];
  const review = readReview({ review: { digest: "d", parts, options } });
  expect(review?.options.map(({ refuses }) => refuses)).toEqual([true, false, false]);
});

test("all of a box has been on the screen when its stretches meet, in whatever order", () => {
  const coverage = new Coverage();
  coverage.measure(300, 1000);
  let now = 0;
  const stay = (span: readonly [number, number] | null) => {
    coverage.sight(span, now);
    now += IN_SIGHT_MS;
    coverage.sight(span, now);
  };
  stay([0, 400]);
  stay([600, 1000]);
  stay(null);
  expect(coverage.covers(1000)).toBe(false);
  stay([398, 602]);
  expect(coverage.covers(1000)).toBe(true);
  coverage.measure(300, 1000);
  expect(coverage.covers(1000)).toBe(true);
  coverage.measure(200, 1500);
  expect(coverage.covers(1500)).toBe(false);
});

test("what only flies past has not been read, and what is scrolled past has", () => {
  const scrolled = (pixelsInAFrame: number) => {
    const coverage = new Coverage();
    coverage.measure(300, 2000);
    coverage.sight([0, 400], 0);
    let now = 1000;
    for (let top = 0; top <= 1600; top += pixelsInAFrame) {
      coverage.sight([top, top + 400], now);
      now += 16;
    }
    coverage.sight([1600, 2000], now);
    coverage.sight([1600, 2000], now + IN_SIGHT_MS);
    return coverage.covers(2000);
  };
  expect([100, 20].map(scrolled)).toEqual([false, true]);
});

test("the lines of a diff that come and go are counted", () => {
  expect(changedLines(" a\n-b\n+c\n+d")).toEqual({ added: 2, removed: 1 });
});

test("a note about a permission says that there is more to see", () => {
  const question = { text: "Allow Bash: ls", agentId: "scout", kind: "permission" };
  const time = "2026-11-23T10:15:00Z";
  const event = { id: 1, type: "question:asked", time, source: "api", data: { question } };
  expect(noticeOf(event, () => "Scout")?.text).toBe("Scout asks: Allow Bash: ls · open to see it all");
});
