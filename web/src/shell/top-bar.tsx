import type { Office } from "../dashboard/office";
import type { LiveFleet } from "../fleet/live";
import { Picture } from "../parts/picture";
import { ago, clock } from "../words/age";
import { Bell, Calendar, CrewCounter, PurseCounter, TokenCounter } from "./counters";

export function TopBar({ office }: { office: Office }) {
  const { live } = office;
  const lamp = lampOf(live);
  const last = live.lastEventAt.value;
  const clients = live.clientCount.value;
  return (
    <header class="top-bar">
      <h1>
        <img src="/icon.svg" alt="" width="24" height="24" /> Mission Control
      </h1>
      {live.simulation.value && <strong class="simulation">Simulation</strong>}
      <Calendar office={office} />
      <div class="counters">
        <CrewCounter office={office} />
        <TokenCounter office={office} />
        <PurseCounter office={office} />
        <Bell office={office} />
      </div>
      <button
        type="button"
        class="open-palette"
        aria-keyshortcuts="Control+K Meta+K"
        onClick={() => {
          office.paletteOpen.value = true;
        }}
      >
        <Picture name="search" times={1} /> Go to … <kbd>Ctrl K</kbd>
      </button>
      <div class="connection">
        {clients !== null && lamp.look === "live" && (
          <span class="clients">{clients === 1 ? "1 client" : `${clients} clients`}</span>
        )}
        <span class={`lamp ${lamp.look}`}>
          <span aria-hidden="true">{lamp.sign}</span> {lamp.word}
        </span>
        <span class="age">
          {lamp.detail ?? (last === null ? "no event yet" : `last event ${ago(last, live.time.value)}`)}
        </span>
      </div>
    </header>
  );
}

interface Lamp {
  readonly look: "live" | "trying" | "off" | "error" | "past";
  readonly sign: string;
  readonly word: string;
  /** What is more telling than the age of the last event. */
  readonly detail: string | null;
}

function lampOf(live: LiveFleet): Lamp {
  const { state, retryAt, stale } = live.connection.value;
  const pastAt = live.pastAt.value;
  switch (state) {
    case "connecting":
      return { look: "trying", sign: "↻", word: "Connecting", detail: null };
    case "connected":
      return pastAt === null
        ? { look: "live", sign: "●", word: "Live", detail: null }
        : { look: "past", sign: "◀", word: "Past", detail: `as it was at ${clock(pastAt)}` };
    case "reconnecting": {
      const seconds = Math.max(0, Math.ceil(((retryAt ?? 0) - live.time.value) / 1000));
      const detail = retryAt === null || seconds === 0 ? "trying now" : `next try in ${seconds} s`;
      return live.networkUp.value
        ? { look: "trying", sign: "↻", word: "Reconnecting", detail }
        : { look: "off", sign: "○", word: "Offline", detail };
    }
    case "polling":
      return stale
        ? { look: "error", sign: "✕", word: "Out of reach", detail: "asking twice a minute" }
        : { look: "trying", sign: "◐", word: "Polling", detail: "asking twice a minute" };
    case "disconnected":
      return { look: "off", sign: "○", word: "Offline", detail: null };
    case "error":
      return { look: "error", sign: "✕", word: "Error", detail: "not trying again" };
  }
}
