/**
 * The state of the fleet: a snapshot, and the events after it folded in. Pure: nothing is changed in place.
 *
 * The server's fold is the reference; `spec/fold.json` holds both to the same results. Agents and the system are
 * folded here; the other parts stand as the last snapshot told them.
 */

import { type Data, isData, type LogEvent, type Snapshot } from "./protocol";
import { isKind, type Kind, kindOf } from "./status";

/** An agent's record; fields beyond these are kept. */
export interface Agent extends Data {
  readonly id: string;
  readonly name: string;
  /** The word that its owner uses; `kind` is what it means. */
  readonly status: string;
  readonly kind: Kind;
}

export interface Alert extends Data {
  /** The event that told it. */
  readonly id: number;
  readonly level: AlertLevel;
  readonly message: string;
  /** RFC 3339. */
  readonly timestamp: string;
}

export type AlertLevel = "critical" | "warning" | "info";

export interface SystemState {
  /** Null before its first status. */
  readonly gateway: Data | null;
  /** Newest first. */
  readonly alerts: readonly Alert[];
}

export interface FleetState {
  /** The last event that is folded in. */
  readonly id: number;
  /** In the order of their ids. */
  readonly agents: readonly Agent[];
  readonly tasks: unknown;
  readonly tokens: unknown;
  readonly leads: unknown;
  readonly system: SystemState;
}

export const EMPTY_STATE: FleetState = {
  id: 0,
  agents: [],
  tasks: [],
  tokens: {},
  leads: [],
  system: { gateway: null, alerts: [] },
};

/** How many alerts the state keeps; the log has them all. */
const MAX_ALERTS = 50;

export function stateFromSnapshot({ state, cursor }: Snapshot): FleetState {
  const agents = new Map<string, Agent>();
  foldBaseline(agents, state);
  const { tasks, tokens, leads } = { ...EMPTY_STATE, ...state };
  return { id: cursor.id, agents: inOrder(agents), tasks, tokens, leads, system: systemIn(state.system) };
}

/** Fold events in; those that the state has in it already are passed over. */
export function foldEvents(state: FleetState, events: readonly LogEvent[]): FleetState {
  const agents = new Map(state.agents.map((agent) => [agent.id, agent]));
  let { id, system } = state;
  let changed = false;
  for (const event of events) {
    if (event.id > id) {
      id = event.id;
      const fold = FOLDS.get(event.type);
      if (fold) {
        fold(agents, event.data, event);
        changed = true;
      }
      system = SYSTEM_FOLDS.get(event.type)?.(system, event.data, event) ?? system;
    }
  }
  return { ...state, id, system, agents: changed ? inOrder(agents) : state.agents };
}

type Agents = Map<string, Agent>;
type Fold = (agents: Agents, data: Data, event: LogEvent) => void;

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
  const whole = isData(data.agent) ? data.agent : {};
  const status = textIn(data.status) ?? textIn(whole.status);
  if (id === null || status === null) {
    return;
  }
  const old = agents.get(id);
  const merged: Data = { ...BLANK, ...old, ...whole };
  let previousStatus = merged.previousStatus;
  if ("previousStatus" in data) {
    previousStatus = textIn(data.previousStatus);
  } else if (old && status !== old.status) {
    previousStatus = old.status;
  }
  agents.set(id, {
    ...merged,
    id,
    name: textIn(merged.name) ?? id,
    status,
    kind: isKind(data.kind) ? data.kind : kindOf(status),
    previousStatus,
    statusSource: textIn(data.statusSource) ?? textIn(whole.statusSource) ?? "event",
    confirmed: textIn(data.confirmed) ?? textIn(whole.confirmed) ?? textIn(data.timestamp) ?? event.time,
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
  agents.set(old.id, {
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
  const lastActivity = textIn(data.lastActivity);
  const activity = textIn(data.activity);
  const { fileCount } = data;
  if (old) {
    agents.set(old.id, {
      ...old,
      ...(lastActivity === null ? {} : { lastActivity }),
      ...(typeof fileCount === "number" ? { fileCount } : {}),
      ...(activity === null ? {} : { activity }),
    });
  }
}

function foldRemoved(agents: Agents, data: Data): void {
  agents.delete(idIn(data.agentId) ?? "");
}

function foldBaseline(agents: Agents, data: Data): void {
  for (const told of Array.isArray(data.agents) ? data.agents : []) {
    const id = isData(told) ? idIn(told.id) : null;
    if (id !== null) {
      const status = textIn(told.status) ?? "unknown";
      agents.set(id, {
        ...BLANK,
        ...told,
        id,
        name: textIn(told.name) ?? id,
        status,
        kind: isKind(told.kind) ? told.kind : kindOf(status),
      });
    }
  }
}

const FOLDS: ReadonlyMap<string, Fold> = new Map<string, Fold>([
  ["agent:statusChange", foldStatusChange],
  ["agent:updated", foldUpdated],
  ["agent:activity", foldActivity],
  ["agent:removed", foldRemoved],
  ["state:baseline", foldBaseline],
]);

type SystemFold = (system: SystemState, data: Data, event: LogEvent) => SystemState;

const SYSTEM_FOLDS: ReadonlyMap<string, SystemFold> = new Map<string, SystemFold>([
  ["system:status", foldGateway],
  ["system:alert", foldAlert],
  ["state:baseline", foldGatewayBaseline],
]);

function foldGateway(system: SystemState, data: Data, event: LogEvent): SystemState {
  const status = textIn(data.status);
  const updated = textIn(data.timestamp) ?? event.time;
  return status === null
    ? system
    : { ...system, gateway: { status, details: data.details ?? null, updated } };
}

function foldGatewayBaseline(system: SystemState, data: Data, event: LogEvent): SystemState {
  const { gateway } = data;
  return isData(gateway) ? foldGateway(system, { timestamp: gateway.updated, ...gateway }, event) : system;
}

function foldAlert(system: SystemState, data: Data, event: LogEvent): SystemState {
  const message = textIn(data.message);
  if (message === null) {
    return system;
  }
  const alert: Alert = {
    id: event.id,
    level: levelIn(data.level),
    message,
    details: data.details ?? null,
    timestamp: textIn(data.timestamp) ?? event.time,
  };
  return { ...system, alerts: [alert, ...system.alerts].slice(0, MAX_ALERTS) };
}

function systemIn(told: unknown): SystemState {
  const { gateway, alerts }: Data = isData(told) ? told : {};
  return {
    gateway: isData(gateway) ? gateway : null,
    alerts: Array.isArray(alerts) ? alerts.filter(isAlert) : [],
  };
}

function isAlert(value: unknown): value is Alert {
  return (
    isData(value) &&
    typeof value.id === "number" &&
    typeof value.message === "string" &&
    typeof value.timestamp === "string" &&
    levelIn(value.level) === value.level
  );
}

function levelIn(value: unknown): AlertLevel {
  return value === "critical" || value === "warning" ? value : "info";
}

function inOrder(agents: Agents): Agent[] {
  return [...agents.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** An id is a text that is not empty, or a whole number. */
function idIn(value: unknown): string | null {
  return Number.isSafeInteger(value) ? String(value) : textIn(value);
}

function textIn(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
