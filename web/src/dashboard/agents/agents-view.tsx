/** The office as a list: who is there, and what happens. */

import { AgentPanel } from "../agent-panel";
import { AlertPanel } from "../alert-panel";
import { EventPanel } from "../event-panel";
import type { Office } from "../office";

export function AgentsView({ office }: { office: Office }) {
  const { live } = office;
  return (
    <>
      <AlertPanel live={live} />
      <div class="panels">
        <AgentPanel office={office} />
        <EventPanel live={live} />
      </div>
    </>
  );
}
