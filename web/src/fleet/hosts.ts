/**
 * Which machines the fleet runs on. A fleet on one machine, or one that does not say where it runs, has no hosts to
 * tell apart: everything here is then empty, and nobody reads of a host.
 */

import { type Data, isData, type LogEvent } from "../client/protocol";
import type { Agent } from "../state";
import { hueOf, textOf } from "../words/agent-words";

/** The number of colours that hosts have, as agents have: `.hue-…` in the style sheet. */
const HUES = 8;
/** `node-2` comes before `node-10`. */
const ORDER = new Intl.Collator("en", { numeric: true });

/** Where a record lives. */
export function hostOf(record: Data): string | null {
  return textOf(record.host);
}

/** An id as its own host knows it, for where the host stands next to it. */
export function shortId(id: string, host: string | null): string {
  return host !== null && id.endsWith(`@${host}`) ? id.slice(0, -host.length - 1) : id;
}

/** The hosts of a fleet in their order, where it has two or more. */
export function hostsOf(records: readonly Data[]): readonly string[] {
  const hosts = new Set(records.flatMap((record) => hostOf(record) ?? []));
  return hosts.size > 1 ? [...hosts].sort(ORDER.compare) : [];
}

/** A colour for each host: that of its name, or the next that nobody has, so that neighbours differ. */
export function huesOf(hosts: readonly string[]): ReadonlyMap<string, number> {
  const hues = new Map<string, number>();
  const taken = new Set<number>();
  for (const host of hosts) {
    let hue = hueOf(host);
    while (taken.has(hue) && taken.size < HUES) {
      hue = (hue + 1) % HUES;
    }
    taken.add(hue);
    hues.set(host, hue);
  }
  return hues;
}

/** What everybody is called; who shares a name with somebody on another host has the host added. */
export function namesOf(agents: readonly Agent[]): ReadonlyMap<string, string> {
  const homes = new Map<string, Set<string | null>>();
  for (const agent of agents) {
    const known = homes.get(agent.name) ?? new Set();
    homes.set(agent.name, known.add(hostOf(agent)));
  }
  return new Map(
    agents.map((agent) => {
      const host = hostOf(agent);
      const shared = host !== null && (homes.get(agent.name)?.size ?? 0) > 1;
      return [agent.id, shared ? `${agent.name} (${host})` : agent.name];
    }),
  );
}

/** Where an event happened: as its envelope says, or the record in it, else where the agent lives that it is about. */
export function hostOfEvent(event: LogEvent, agents: readonly Agent[]): string | null {
  const records = [event.data.agent, event.data.task, event.data.lead].filter(isData);
  const told = textOf(event.host) ?? records.map(hostOf).find((host) => host !== null);
  if (told !== undefined) {
    return told;
  }
  const about = textOf(event.data.agentId) ?? textOf(event.data.agent);
  const agent = about === null ? undefined : agents.find(({ id }) => id === about);
  return agent ? hostOf(agent) : null;
}

/** The same list as before where nothing in it has changed, so that nobody is told of it. */
export function keptIfSame<Item>(before: readonly Item[], now: readonly Item[]): readonly Item[] {
  return before.length === now.length && now.every((item, place) => item === before[place]) ? before : now;
}
