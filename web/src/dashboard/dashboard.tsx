import { AgentPanel } from "./agent-panel";
import { AlertPanel } from "./alert-panel";
import { EventPanel } from "./event-panel";
import type { LiveFleet } from "./live";
import { SentencePanel } from "./sentence-panel";
import { SignIn } from "./sign-in";
import { TopBar } from "./top-bar";

/** The whole page. While it is not live it stands still, without its colours: what it shows is the past. */
export function Dashboard({ live }: { live: LiveFleet }) {
  const frozen = live.frozenAt.value !== null;
  return (
    <div class={frozen ? "page frozen" : "page"}>
      <TopBar live={live} />
      <SentencePanel live={live} />
      <SignIn live={live} />
      <main aria-busy={live.fleet.value === null}>
        <AlertPanel live={live} />
        <div class="panels">
          <AgentPanel live={live} />
          <EventPanel live={live} />
        </div>
      </main>
    </div>
  );
}
