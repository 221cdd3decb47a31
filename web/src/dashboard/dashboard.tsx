import { AgentPanel } from "./agent-panel";
import { EventPanel } from "./event-panel";
import type { LiveFleet } from "./live";
import { SentencePanel } from "./sentence-panel";
import { TopBar } from "./top-bar";

/** The whole page. While it is not live it stands still, without its colours: what it shows is the past. */
export function Dashboard({ live }: { live: LiveFleet }) {
  const frozen = live.frozenAt.value !== null;
  return (
    <div class={frozen ? "page frozen" : "page"}>
      <TopBar live={live} />
      <SentencePanel live={live} />
      <main class="panels" aria-busy={live.fleet.value === null}>
        <AgentPanel live={live} />
        <EventPanel live={live} />
      </main>
    </div>
  );
}
