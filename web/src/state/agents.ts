/** The agents. One is added by its first status or by a baseline; everything else is laid over one that is known. */

import { type Data, isData, type LogEvent } from "../client/protocol";
import { MAX_AGENTS } from "./limits";
import { isKind, type Kind, kindOf } from "./status";
import { inOrder, put, type TableFold } from "./tables";
import { dataIn, idIn, listIn, numberIn, type Place, placeOf, textIn, timeOf, wordIn } from "./values";

/** An agent's record; fields beyond these are kept. */
export interface Agent extends Data {
  readonly id: string;
  readonly name: string;
  /** The word that its owner uses; `kind` is what it means. */
  readonly status: string;
  readonly kind: Kind;
}

type Agents = Map<string, Agent>;

const BLANK: Data = {
  role: null,
  codename: null,
  division: null,
  specialties: [],
  previousStatus: null,
  statusSource: null,
  confirmed: null,
  lastActive: null,
  stats: {},
  activeProjects: [],
  currentTask: null,
};

function foldStatusChange(agents: Agents, data: Data, event: LogEvent): void {
  const id = idIn(data.agentId);
  const whole = dataIn(data.agent);
  const status = textIn(data.status) ?? textIn(whole.status);
  if (id === null || status === null) {
    return;
  }
  const old = agents.get(id);
  const place = placeOf(id, event);
  const merged: Data = { ...BLANK, ...old, ...place, ...whole };
  let previousStatus = merged.previousStatus;
  if ((data.previousStatus ?? null) !== null) {
    previousStatus = textIn(data.previousStatus);
  } else if (old && status !== old.status) {
    previousStatus = old.status;
  }
  put(agents, MAX_AGENTS, {
    ...merged,
    id,
    name: textIn(merged.name) ?? short(id, place),
    status,
    kind: isKind(data.kind) ? data.kind : kindOf(status),
    previousStatus,
    statusSource: textIn(data.statusSource) ?? textIn(whole.statusSource) ?? "event",
    confirmed: textIn(data.confirmed) ?? textIn(whole.confirmed) ?? timeOf(data, event),
    lastActive: textIn(data.lastActive) ?? merged.lastActive,
    stats: isData(data.stats) ? data.stats : merged.stats,
  });
}

function foldUpdated(agents: Agents, data: Data): void {
  const old = agents.get(idIn(data.agentId) ?? "");
  const { updates } = data;
  if (!old || !isData(updates)) {
    return;
  }
  const status = textIn(updates.status) ?? old.status;
  const kept = status === old.status ? old.kind : null;
  const kind = "kind" in updates ? updates.kind : kept;
  put(agents, MAX_AGENTS, {
    ...old,
    ...updates,
    id: old.id,
    name: textIn(updates.name) ?? old.name,
    status,
    kind: isKind(kind) ? kind : kindOf(status),
    ...(status === old.status ? {} : { previousStatus: old.status }),
  });
}

function foldActivity(agents: Agents, data: Data): void {
  const old = agents.get(idIn(data.agentId) ?? "");
  const lastActivity = wordIn(data.lastActivity);
  const activity = textIn(data.activity);
  const fileCount = numberIn(data.fileCount);
  if (old) {
    put(agents, MAX_AGENTS, {
      ...old,
      ...(lastActivity === null ? {} : { lastActivity }),
      ...(fileCount === null ? {} : { fileCount }),
      ...(activity === null ? {} : { activity }),
    });
  }
}

function foldRemoved(agents: Agents, data: Data): void {
  agents.delete(idIn(data.agentId) ?? "");
}

export function agentsIn(told: unknown): readonly Agent[] {
  const agents: Agents = new Map();
  for (const agent of listIn(told)) {
    take(agents, agent, {});
  }
  return inOrder(agents);
}

function foldBaseline(agents: Agents, data: Data, event: LogEvent): void {
  for (const told of listIn(data.agents)) {
    const id = isData(told) ? idIn(told.id) : null;
    take(agents, told, id === null ? {} : placeOf(id, event));
  }
}

function take(agents: Agents, told: unknown, place: Place): void {
  const id = isData(told) ? idIn(told.id) : null;
  if (isData(told) && id !== null) {
    const status = textIn(told.status) ?? "unknown";
    put(agents, MAX_AGENTS, {
      ...BLANK,
      ...place,
      ...told,
      id,
      name: textIn(told.name) ?? short(id, place),
      status,
      kind: isKind(told.kind) ? told.kind : kindOf(status),
    });
  }
}

/** How an agent's own host calls it. */
function short(id: string, { host }: Place): string {
  return host !== undefined && id.endsWith(`@${host}`) ? id.slice(0, -host.length - 1) : id;
}

export const AGENT_FOLDS: ReadonlyMap<string, TableFold<Agent>> = new Map<string, TableFold<Agent>>([
  ["agent:statusChange", foldStatusChange],
  ["agent:updated", foldUpdated],
  ["agent:activity", foldActivity],
  ["agent:removed", foldRemoved],
  ["state:baseline", foldBaseline],
]);
