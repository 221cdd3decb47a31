/** The office as a list: who is there, and what happens. */

import { AgentPanel } from "../agent-panel";
import { AlertPanel } from "../alert-panel";
import { EventPanel } from "../event-panel";
import type { Office } from "../office";

export function AgentsView({ office: { live } }: { office: Office }) {
  return (
    <>
      <AlertPanel live={live} />
      <div class="panels">
        <AgentPanel live={live} />
        <EventPanel live={live} />
      </div>
    </>
  );
}
