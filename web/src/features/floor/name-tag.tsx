/** Who somebody on the floor is, and what they do and cost, while they are pointed at. */

import type { Signal } from "@preact/signals";
import type { Office } from "../../dashboard/office";
import { usedOn } from "../../fleet/budgets";
import { HostBadge } from "../../parts/host-badge";
import { Portrait } from "../../parts/portrait";
import { ago, moment } from "../../words/age";
import { SIGNS, staleSince, taskOf, textOf } from "../../words/agent-words";
import { dollars, short } from "../../words/figures";
import type { Pointed } from "./running-floor";

export function NameTag({ office, pointed }: { office: Office; pointed: Signal<Pointed | null> }) {
  const fleet = office.live.fleet.value;
  const spot = pointed.value;
  const agent = spot && fleet?.agents.find(({ id }) => id === spot.id);
  if (!spot || !agent || !fleet) {
    return null;
  }
  const now = office.live.now.value;
  const used = usedOn(fleet, office.today.value, agent.id);
  const task = taskOf(agent.currentTask) ?? textOf(agent.statusDetail);
  const confirmed = moment(agent.confirmed);
  const stale = staleSince(agent, now);
  return (
    <div
      class={`name-tag ${spot.below ? "below" : "above"}`}
      style={{ left: `${spot.x}px`, top: `${spot.y}px` }}
      role="status"
    >
      <Portrait id={agent.id} size="middle" />
      <p class="tag-name">
        <span dir="auto">{agent.name}</span> <HostBadge live={office.live} host={office.live.hostOf(agent)} />
      </p>
      <p class={`tag-status ${agent.kind}`}>
        <span aria-hidden="true">{SIGNS[agent.kind]}</span> <span dir="auto">{agent.status}</span>
        {confirmed !== null && (
          <small>
            {stale === null
              ? ago(confirmed, now)
              : `not heard of for ${ago(stale, now).replace(/ ago$/, "")}`}
          </small>
        )}
      </p>
      {task !== null && (
        <p class="tag-task" dir="auto">
          {task}
        </p>
      )}
      <p class="tag-cost">
        {dollars(used.cost)} · {short(used.tokens)} tokens today
      </p>
    </div>
  );
}
