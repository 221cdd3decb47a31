import { expect, test } from "vitest";
import { noticeOf } from "../../src/dashboard/notices";
import { needsOf } from "../../src/fleet/attention";
import { awayIn, silenceWord } from "../../src/fleet/host-watch";
import { hostOfEvent, hostsOf, huesOf, namesOf } from "../../src/fleet/hosts";
import { sentenceOf } from "../../src/fleet/sentence";
import { type Agent, EMPTY_STATE, foldEvents } from "../../src/state";

function agent(name: string, host?: string, kind: Agent["kind"] = "busy"): Agent {
  const id = `${name.toLowerCase()}@${host ?? ""}`;
  return { id, name, status: kind, kind, ...(host === undefined ? {} : { host }) };
}

function event(type: string, data: Record<string, unknown>, host?: string) {
  const told = { type, id: 1, time: "2026-11-23T10:15:00.000Z", source: "test", data };
  return host === undefined ? told : { ...told, host };
}

test("a fleet on one host, or on none that is named, has no hosts to tell apart", () => {
  expect(hostsOf([])).toEqual([]);
  expect(hostsOf([agent("Scout"), agent("Forge")])).toEqual([]);
  expect(hostsOf([agent("Scout", "alpha"), agent("Forge", "alpha"), agent("Pixel")])).toEqual([]);
});

test("hosts stand in an order that people would give them", () => {
  const agents = ["node-10", "beta", "node-2"].map((host) => agent("Scout", host));
  expect(hostsOf(agents)).toEqual(["beta", "node-2", "node-10"]);
});

test("up to eight hosts each have a colour of their own", () => {
  const hosts = Array.from({ length: 8 }, (_, n) => `host-${n}`);
  expect(new Set(huesOf(hosts).values()).size).toBe(8);
  expect(huesOf([...hosts, "one more"]).get("one more")).toBeTypeOf("number");
});

test("only who shares a name with somebody on another host is called by the host too", () => {
  const names = namesOf([agent("Scout", "alpha"), agent("Scout", "beta"), agent("Forge", "alpha")]);
  expect([...names.values()]).toEqual(["Scout (alpha)", "Scout (beta)", "Forge"]);
  expect([...namesOf([agent("Scout"), agent("Forge")]).values()]).toEqual(["Scout", "Forge"]);
});

test("an event is where its envelope says, else where its agent is at home", () => {
  const agents = [agent("Scout", "alpha")];
  expect(hostOfEvent(event("system:alert", {}, "beta"), agents)).toBe("beta");
  expect(hostOfEvent(event("agent:activity", { agentId: "scout@alpha" }), agents)).toBe("alpha");
  expect(hostOfEvent(event("system:alert", {}), agents)).toBeNull();
});

test("what needs a person is one list, and each says its host", () => {
  const agents = [agent("Scout", "alpha", "waiting"), agent("Scout", "beta", "error")];
  const alert = {
    id: 7,
    level: "critical",
    message: "Full",
    timestamp: "2026-11-23T10:15:00Z",
    host: "gamma",
  } as const;
  const needs = needsOf(
    agents,
    [alert],
    [],
    (id) => id,
    ({ host }) => String(host),
  );
  expect(needs.map(({ host }) => host)).toEqual(["gamma", "beta", "alpha"]);
  expect(needsOf(agents, []).map(({ host }) => host)).toEqual([null, null]);
});

test("the sentence tells the same-named apart, and says who is silent", () => {
  const agents = [agent("Scout", "alpha", "waiting"), agent("Scout", "beta")];
  expect(sentenceOf(agents)).toBe("1 of 2 agents is at work; Scout (alpha) waits.");
  expect(sentenceOf(agents, 0, new Map([["beta", ""]]))).toBe(
    "1 of 2 agents is at work; Scout (alpha) waits. From beta there is no word.",
  );
});

test("a note of an alert says its host, where there are several", () => {
  const alert = event("system:alert", { level: "critical", message: "Full" }, "alpha");
  const nameOf = (id: string) => id;
  expect(noticeOf(alert, nameOf, () => "alpha")?.text).toBe("alpha: Full");
  expect(noticeOf(alert, nameOf)?.text).toBe("Full");
});

test("who is away is read from the server's status, whatever that has in it", () => {
  const hosts = {
    alpha: { online: true, since: "2026-11-23T10:00:00Z" },
    beta: { online: false, since: "2026-11-23T14:02:00Z" },
    gamma: { online: false },
    delta: "?",
  };
  expect(awayIn({ cluster: { hosts } })).toEqual(
    new Map([
      ["beta", "2026-11-23T14:02:00Z"],
      ["gamma", ""],
    ]),
  );
  for (const status of [null, {}, { cluster: null }, { cluster: { hosts: [] } }]) {
    expect(awayIn(status).size).toBe(0);
  }
  expect(silenceWord("")).toBe("no word");
  expect(silenceWord("2026-11-23T14:02:00")).toBe("no word since 14:02");
});

test("an alert keeps the host that its event names, and has none where that names none", () => {
  const full = event("system:alert", { level: "critical", message: "Full" }, "alpha");
  const plain = { ...event("system:alert", { message: "Fine" }), id: 2 };
  const { alerts } = foldEvents(EMPTY_STATE, [full, plain]).system;
  expect(alerts.map((alert) => alert.host)).toEqual([undefined, "alpha"]);
  expect(alerts[0]).not.toHaveProperty("host");
});
