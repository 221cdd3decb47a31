/** The system: the gateway's status and the newest alerts. */

import { type Data, isData, type LogEvent } from "../client/protocol";
import { MAX_ALERTS, MAX_HOSTS, MAX_NOTE_BYTES, MAX_RECORD_BYTES } from "./limits";
import { cut, dataIn, type Fold, type Folds, inTextOrder, own, sizeOf, textIn, timeOf } from "./values";

export interface Alert extends Data {
  /** The event that told it. */
  readonly id: number;
  readonly level: AlertLevel;
  readonly message: string;
  /** RFC 3339. */
  readonly timestamp: string;
  /** Where it was told, in a fleet of several hosts. */
  readonly host?: string;
}

export type AlertLevel = "critical" | "warning" | "info";

export interface SystemState {
  /** Null before its first status. */
  readonly gateway: Data | null;
  /** By host, in a fleet of several. */
  readonly gateways?: Readonly<Record<string, Data>>;
  /** Newest first. */
  readonly alerts: readonly Alert[];
}

export const SYSTEM_FOLDS: Folds<SystemState> = new Map<string, Fold<SystemState>>([
  ["system:status", foldGateway],
  ["system:alert", foldAlert],
  ["state:baseline", foldGatewayBaseline],
]);

function foldGateway(system: SystemState, data: Data, event: LogEvent): SystemState {
  const status = textIn(data.status);
  const updated = timeOf(data, event);
  if (status === null) {
    return system;
  }
  const gateway = bounded<Data>({ status, details: data.details ?? null, updated }, "status");
  const { host } = event;
  const known = system.gateways ?? {};
  const fits =
    host !== undefined && (own(known, host) !== undefined || Object.keys(known).length < MAX_HOSTS);
  return fits ? { ...system, gateway, gateways: { ...known, [host]: gateway } } : { ...system, gateway };
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
  return { ...system, alerts: [bounded(alert, "message"), ...system.alerts].slice(0, MAX_ALERTS) };
}

export function systemIn(told: unknown): SystemState {
  const { gateway, gateways, alerts } = dataIn(told);
  return {
    gateway: isData(gateway) ? bounded(gateway, "status") : null,
    alerts: Array.isArray(alerts)
      ? alerts
          .slice(0, MAX_ALERTS)
          .filter(isAlert)
          .map((alert) => bounded(alert, "message"))
      : [],
    ...(isData(gateways)
      ? {
          gateways: Object.fromEntries(
            Object.entries(gateways)
              .sort(([one], [other]) => inTextOrder(one, other))
              .slice(0, MAX_HOSTS)
              .filter((entry): entry is [string, Data] => isData(entry[1]))
              .map(([host, known]) => [host, bounded(known, "status")]),
          ),
        }
      : {}),
  };
}

/** A record without its details, and with the beginning of its text, where it is too large. */
function bounded<Kind extends Data>(record: Kind, text: "message" | "status"): Kind {
  if (sizeOf(record) <= MAX_RECORD_BYTES) {
    return record;
  }
  const whole = record[text];
  return { ...record, details: null, [text]: typeof whole === "string" ? cut(whole, MAX_NOTE_BYTES) : whole };
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
