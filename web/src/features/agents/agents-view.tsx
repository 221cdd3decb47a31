/** The office as a list: who is there, and what happens. */

import type { Office } from "../../dashboard/office";
import { EventPanel } from "../../parts/event-panel";
import { AgentPanel } from "./agent-panel";
import { AlertPanel } from "./alert-panel";

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
