/** The browser client of Mission Control, as a module. */

import { EVENT_TYPES } from "../client/catalogue";

export type * from "../client/catalogue";
export type { Cursor, Data, Gap, LogEvent, Snapshot } from "../client/protocol";
export type { TransportName } from "../client/transport";
export type { Agent, Alert, FleetState, Item, SystemState, TokenState } from "../state/index";
export { type ConnectionState, MC_CONNECTION_STATE, type RealtimeOptions } from "./options";
export { type Handler, MCRealtimeClient } from "./realtime-client";
export { MCRealtimeDashboard, type RealtimeDashboardOptions } from "./realtime-dashboard";
export type { HistoryEvent, Published, RealtimeMetrics, RealtimeState } from "./reports";

export const MC_REALTIME_EVENTS = {
  ...EVENT_TYPES,
  CONNECTED: "connected",
  DISCONNECTED: "disconnected",
  PING: "ping",
  PONG: "pong",
} as const;
