/** The browser client as one classic script: its names are global, and `mcRealtime` is made when it is first used. */

import { MC_CONNECTION_STATE, MC_REALTIME_EVENTS, MCRealtimeClient, MCRealtimeDashboard } from "./index";

let usual: MCRealtimeClient | undefined;

Object.assign(globalThis, {
  MCRealtimeClient,
  MCRealtimeDashboard,
  MC_REALTIME_EVENTS,
  MC_CONNECTION_STATE,
});
Object.defineProperty(globalThis, "mcRealtime", {
  configurable: true,
  get: () => {
    usual ??= new MCRealtimeClient();
    return usual;
  },
  set: (client: MCRealtimeClient) => {
    usual = client;
  },
});
