import { describe, expect, test, vi } from "vitest";
import { newsOf } from "../../src/dashboard/news";
import { noticeOf } from "../../src/dashboard/notices";
import { changeIn, FileLog, joined, matchingFiles } from "../../src/features/files/file-log";
import { bandOf, leadFrom, pipelineOf } from "../../src/features/leads/lead";
import { actionEntries, findEntries } from "../../src/features/palette/entries";
import { needsOf } from "../../src/fleet/attention";
import { taskFrom } from "../../src/fleet/task";
import { calendarDay, dayName } from "../../src/words/calendar";
import { bytes, counted, dollars, short, span } from "../../src/words/figures";

const event = (type: string, data: object, id = 1) => ({
  type,
  id,
  time: "2026-11-23T10:15:00.000Z",
  source: "test",
  data: { ...data },
});
const nameOf = (id: string) => id.toUpperCase();

describe("figures", () => {
  test("counts a single byte as one", () => {
    expect([bytes(0), bytes(1), bytes(2), bytes(1000)]).toEqual(["0 bytes", "1 byte", "2 bytes", "1.0 KB"]);
  });

  test("a small sum does not look like nothing", () => {
    expect([0, 0.004, 0.5, 1234.5].map(dollars)).toEqual(["$0.00", "< $0.01", "$0.50", "$1,234.50"]);
  });

  test("counts, sizes and spans are short", () => {
    expect(short(162_412)).toBe("162K");
    expect(counted(1, "task")).toBe("1 task");
    expect(counted(1234, "task")).toBe("1,234 tasks");
    expect([12, 1500, 2_500_000].map(bytes)).toEqual(["12 bytes", "1.5 KB", "2.5 MB"]);
    expect([0.5, 5, 72].map(span)).toEqual(["30 min", "5 h", "3 days"]);
  });
});

describe("the calendar", () => {
  test("counts the weeks of a month from the one in which it begins", () => {
    expect(calendarDay(new Date(2026, 10, 1).getTime())).toMatchObject({
      month: 11,
      week: 1,
      weekday: "Sun",
    });
    expect(calendarDay(new Date(2026, 10, 2).getTime()).week).toBe(2);
    expect(calendarDay(new Date(2026, 10, 23).getTime())).toMatchObject({ week: 5, weekday: "Mon" });
  });

  test("names a day as the server does", () => {
    expect(dayName(new Date(2026, 0, 5, 23).getTime())).toBe("2026-01-05");
  });
});

describe("what needs a person", () => {
  const alert = { id: 4, level: "critical" as const, message: "It burns", timestamp: "2026-11-23T10:15:00Z" };
  const agent = { id: "scout", name: "Scout", status: "waiting for approval", kind: "waiting" as const };

  test("is told with the worst first, and leads to where it is", () => {
    const needs = needsOf([agent], [alert]);
    expect(needs.map(({ key }) => key)).toEqual(["alert-4", "agent-scout"]);
    expect(needs[1]).toMatchObject({ path: "/agents/scout", text: "waits (waiting for approval)" });
  });

  test("is not an agent at work, nor a note", () => {
    expect(needsOf([{ ...agent, kind: "busy" }], [{ ...alert, level: "info" }])).toEqual([]);
  });

  test("is told as it happens, where it is grave or a question", () => {
    const told = (type: string, data: object) => noticeOf(event(type, data), nameOf)?.text ?? null;
    expect(told("system:alert", { level: "critical", message: "It burns" })).toBe("It burns");
    expect(told("system:alert", { level: "warning", message: "It smokes" })).toBeNull();
    expect(told("agent:statusChange", { agentId: "a", status: "waiting for approval" })).toBe(
      "A waits: waiting for approval",
    );
    expect(told("agent:statusChange", { agentId: "a", status: "crashed" })).toBe("A has an error: crashed");
    expect(told("agent:statusChange", { agentId: "a", status: "busy" })).toBeNull();
  });
});

describe("leads from any tool", () => {
  test("are told by what they have", () => {
    const lead = leadFrom({ id: "L1", totalScore: 55, name: "Ada", factors: { size: 30, reason: "near" } });
    expect(lead).toMatchObject({ title: "Ada", score: 55, stage: null });
    expect(lead.factors).toEqual([
      { name: "size", value: 30, text: "" },
      { name: "reason", value: null, text: "near" },
    ]);
  });

  test("may give their factors as a list", () => {
    const lead = leadFrom({ id: "L1", factors: [{ name: "size", score: 3, reason: "big" }, "near"] });
    expect(lead.factors).toEqual([
      { name: "size", value: 3, text: "big" },
      { name: "near", value: null, text: "" },
    ]);
  });

  test("stand by stage where they have one, else by score", () => {
    const bands = pipelineOf([leadFrom({ id: "a", score: 85 }), leadFrom({ id: "b" })]);
    expect(bands.map(({ name, leads }) => [name, leads.length])).toEqual([
      ["Hot", 1],
      ["Warm", 0],
      ["Cool", 0],
      ["Cold", 0],
      ["Not scored", 1],
    ]);
    expect(pipelineOf([leadFrom({ id: "a", status: "won" })]).map(({ name }) => name)).toEqual(["won"]);
    expect(bandOf(40)).toBe("Cool");
  });
});

describe("files", () => {
  test("are told each once, the newest first", () => {
    const changes = [3, 1, 3, 2].flatMap(
      (id) => changeIn(event("file:change", { path: `p${id}` }, id)) ?? [],
    );
    expect(joined(changes).map(({ id }) => id)).toEqual([3, 2, 1]);
    expect(changeIn(event("custom:event", { path: "p" }))).toBeNull();
  });

  test("are found by words of their path, and by agent", () => {
    const all = [
      { path: "agents/scout/Report.md", agentId: "scout" },
      { path: "plan.md", agentId: null },
    ].flatMap((data, id) => changeIn(event("file:change", data, id)) ?? []);
    expect(matchingFiles(all, "report", "").length).toBe(1);
    expect(matchingFiles(all, ".md", "").length).toBe(2);
    expect(matchingFiles(all, "", "scout").length).toBe(1);
  });
});

describe("the palette", () => {
  const nothing = () => {};
  const actions = actionEntries({
    go: nothing,
    newTask: nothing,
    switchTheme: nothing,
    dismissAlerts: null,
    pause: nothing,
  });
  const agents = [{ id: "scout", name: "Scout", status: "busy", kind: "busy" as const, role: "Researcher" }];
  const tasks = [taskFrom({ id: "TASK-0042", description: "Scout the market" })];
  const titles = (typed: string) =>
    findEntries(typed, actions, agents, tasks, nothing).map(({ title }) => title);

  test("offers the views before anything is typed, and no action that would do nothing", () => {
    expect(titles("")[0]).toBe("Floor");
    expect(actions.some(({ key }) => key === "dismiss")).toBe(false);
  });

  test("finds views, agents and tasks, what begins with the word first", () => {
    expect(titles("ta")[0]).toBe("Tasks");
    expect(titles("scout")).toEqual(["Scout", "TASK-0042 Scout the market"]);
    expect(titles("0042")).toEqual(["TASK-0042 Scout the market"]);
    expect(titles("research")).toEqual(["Scout"]);
    expect(titles("zebra")).toEqual([]);
  });
});

describe("good news", () => {
  const tasks = [{ id: "TASK-0007", description: "Match the invoices", assignedTo: "scout" }];

  test("is who has finished what", () => {
    const told = event("task:completed", { taskId: "TASK-0007" });
    expect(newsOf(told, { tasks }, nameOf)).toEqual({
      text: "SCOUT has finished: Match the invoices",
      path: "/tasks/TASK-0007",
      agent: "scout",
    });
    expect(newsOf(event("task:completed", { taskId: "TASK-0008" }), { tasks }, nameOf)).toBeNull();
  });

  test("is who was found", () => {
    const told = event("lead:added", { lead: { id: "L1", company: "Northwind", score: 82 } });
    expect(newsOf(told, { tasks }, nameOf)?.text).toBe("A new lead: Northwind, scored 82");
  });
});

describe("the file log", () => {
  test("keeps what happens while the first answer is on its way", async () => {
    const changed = (id: number) =>
      event("file:change", { path: `notes-${id}.md`, action: "created", agentId: "scout" }, id);
    const log = new FileLog();
    const link = '</api/system/events?events=file%3Achange&before=k3%3A1>; rel="next"';
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (path: string) => {
      asked.push(path);
      return new Response(JSON.stringify([changed(1)]), asked.length > 1 ? {} : { headers: { link } });
    });
    const reading = log.read();
    log.add([changed(2)]);
    await reading;
    expect(log.changes.value?.map(({ id }) => id)).toEqual([2, 1]);
    expect(log.more.value).toBe(true);
    await log.read(true);
    vi.unstubAllGlobals();
    expect(asked[1]).toBe("/api/system/events?events=file%3Achange&before=k3%3A1");
    expect(log.more.value).toBe(false);
  });
});
