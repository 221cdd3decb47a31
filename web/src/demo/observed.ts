/** The client of the classic script, with what it tells as signals; rendered once a frame, however much comes. */

import { signal } from "@preact/signals";
import { oncePerFrame } from "../page/frame";
import type {
  FleetState,
  Gap,
  LogEvent,
  MC_REALTIME_EVENTS,
  MCRealtimeClient,
  RealtimeState,
  TransportName,
} from "../realtime/index";

declare global {
  interface Window {
    readonly MCRealtimeClient: typeof MCRealtimeClient;
    readonly MC_REALTIME_EVENTS: typeof MC_REALTIME_EVENTS;
  }
}

const KEPT = 500;

export type Line =
  | { readonly kind: "event"; readonly event: LogEvent }
  | { readonly kind: "gap"; readonly gap: Gap };

// A connection of its own: what is tried here is not to disturb other pages.
const client = new window.MCRealtimeClient({ share: false });

export const connection = signal<RealtimeState>(client.getState());
export const fleet = signal<FleetState | null>(null);
export const lines = signal<readonly Line[]>([]);
export const clients = signal<number | null>(null);
export const paused = signal(false);
export const filter = signal("");
/** The answer to the last thing that was asked for, for people. */
export const answer = signal("");

const coming: Line[] = [];
const refresh = oncePerFrame(() => {
  connection.value = client.getState();
  fleet.value = client.state;
  if (!paused.value) {
    lines.value = [...coming.splice(0).reverse(), ...lines.value].slice(0, KEPT);
  }
});

client.addEventListener("message", (message) => {
  coming.push({ kind: "event", event: (message as CustomEvent<LogEvent>).detail });
  // While the list is held, what is too old for it anyway is let go.
  coming.splice(0, coming.length - KEPT);
  refresh();
});
client.on("gap", (gap: Gap) => {
  coming.push({ kind: "gap", gap });
  refresh();
});
client.on("clients", ({ count }) => {
  clients.value = count;
});
for (const name of ["stateChange", "snapshot"]) {
  client.on(name, refresh);
}
setInterval(refresh, 1_000);

/** Do something, and say what came of it. */
export async function act(what: string, action: () => unknown): Promise<void> {
  try {
    const result = await action();
    answer.value = typeof result === "string" ? result : `${what}: done.`;
  } catch (error) {
    answer.value = `${what}: ${error instanceof Error ? error.message : String(error)}`;
  }
  refresh();
}

export const actions = {
  connect: () => client.connect(),
  disconnect: () => client.disconnect(),
  reconnect: () => client.reconnect(),
  cut: () => client.dropConnection(),
  use: (transports: readonly TransportName[]) => client.useTransports(transports),
  subscribe: (pattern: string) => void client.subscribe(pattern.split(/[\s,]+/).filter(Boolean)),
  unsubscribe: (pattern: string) => void client.unsubscribe(pattern.split(/[\s,]+/).filter(Boolean)),
  subscribeAll: () => void client.subscribeAll(),
  clear: () => void client.clearSubscriptions(),
  resume() {
    paused.value = !paused.value;
    refresh();
  },
  async publish(type: string, text: string): Promise<string> {
    const data: unknown = JSON.parse(text || "{}");
    const { ids } = await client.publish(type, data as Record<string, unknown>);
    return `${type} is event ${ids[0]}.`;
  },
};
