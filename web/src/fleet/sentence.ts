/** The one plain sentence above everything: what the fleet is doing, and what needs a person. */

import type { Agent } from "../state";
import type { Kind } from "../state/status";
import { isolated } from "../words/direction";
import { silenceWord } from "./host-watch";
import { namesOf } from "./hosts";

const MOST_NAMES = 3;

/** `away` are the hosts that nobody speaks for, and since when. */
export function sentenceOf(
  agents: readonly Agent[],
  alerts = 0,
  away: ReadonlyMap<string, string> = new Map(),
): string {
  const silent = [...away].map(([host, since]) => ` From ${isolated(host)} there is ${silenceWord(since)}.`);
  return `${plainSentenceOf(agents, alerts)}${silent.join("")}`;
}

function plainSentenceOf(agents: readonly Agent[], alerts: number): string {
  const alerted = alerts ? [`there ${alerts === 1 ? "is 1 alert" : `are ${alerts} alerts`}`] : [];
  if (agents.length === 0) {
    return `${["There are no agents in this workspace yet", ...alerted].join("; ")}.`;
  }
  const called = namesOf(agents);
  const of = (kind: Kind) =>
    agents.filter((agent) => agent.kind === kind).map(({ id, name }) => called.get(id) ?? name);
  const [busy, waiting, failed] = [of("busy"), of("waiting"), of("error")];
  const needs = [
    ...(waiting.length ? [`${names(waiting)} ${verb(waiting, "waits", "wait")}`] : []),
    ...(failed.length ? [`${names(failed)} ${verb(failed, "has", "have")} an error`] : []),
    ...alerted,
  ];
  const nobody = agents.length === 1 ? " and does not need you" : "; none of them needs you";
  return `${work(agents.length, busy.length)}${rest(agents)}${needs.length ? `; ${needs.join(", ")}` : nobody}.`;
}

function work(all: number, busy: number): string {
  if (all === 1) {
    return busy ? "The only agent is at work" : "The only agent is not at work";
  }
  if (busy === 0) {
    return `None of ${all} agents is at work`;
  }
  if (busy === all) {
    return `All ${all} agents are at work`;
  }
  return `${busy} of ${all} agents ${busy === 1 ? "is" : "are"} at work`;
}

function rest(agents: readonly Agent[]): string {
  const offline = agents.filter(({ kind }) => kind === "offline").length;
  return offline && agents.length > 1 ? `, ${offline} ${offline === 1 ? "is" : "are"} offline` : "";
}

function names(called: readonly string[]): string {
  const first = called.slice(0, MOST_NAMES).map(isolated);
  const more = called.length - first.length;
  const all = more ? [...first, `${more} more`] : first;
  return all.length > 1 ? `${all.slice(0, -1).join(", ")} and ${all.at(-1)}` : (all[0] ?? "");
}

function verb(called: readonly string[], one: string, many: string): string {
  return called.length === 1 ? one : many;
}
