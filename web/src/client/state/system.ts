/** The system: the gateway's status and the newest alerts. */

import { type Data, isData, type LogEvent } from "../protocol";
import { dataIn, type Fold, type Folds, textIn, timeOf } from "./values";

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

/** How many alerts the state keeps; the log has them all. */
const MAX_ALERTS = 50;

export const SYSTEM_FOLDS: Folds<SystemState> = new Map<string, Fold<SystemState>>([
  ["system:status", foldGateway],
  ["system:alert", foldAlert],
  ["state:baseline", foldGatewayBaseline],
]);

function foldGateway(system: SystemState, data: Data, event: LogEvent): SystemState {
  const status = textIn(data.status);
  const updated = timeOf(data, event);
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
    timestamp: timeOf(data, event),
    ...(event.host === undefined ? {} : { host: event.host }),
  };
  return { ...system, alerts: [alert, ...system.alerts].slice(0, MAX_ALERTS) };
}

export function systemIn(told: unknown): SystemState {
  const { gateway, alerts } = dataIn(told);
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
