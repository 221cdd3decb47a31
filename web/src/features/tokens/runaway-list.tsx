import { isData } from "../../client/protocol";
import type { Office } from "../../dashboard/office";
import { pathOfAgent } from "../../page/route";
import type { FleetState } from "../../state";
import { ago, moment } from "../../words/age";
import { textOf } from "../../words/agent-words";

/** Agents that spend or call as if they had lost their way, among the newest alerts. */
export function RunawayList({ office, fleet }: { office: Office; fleet: FleetState }) {
  const runaways = fleet.system.alerts.filter(
    ({ details }) => isData(details) && textOf(details.runaway) !== null,
  );
  if (runaways.length === 0) {
    return null;
  }
  return (
    <section class="runaways" aria-labelledby="runaways-title">
      <h3 id="runaways-title">Runaways</h3>
      <ul>
        {runaways.map(({ id, message, details, timestamp }) => {
          const agent = isData(details) ? textOf(details.agentId) : null;
          const time = moment(timestamp);
          return (
            <li key={id} class="event warning">
              <span>
                <span aria-hidden="true">▲</span> <span dir="auto">{message}</span>{" "}
                {agent !== null && (
                  <a href={pathOfAgent(agent)}>
                    See <bdi>{office.live.nameOf(agent)}</bdi>
                  </a>
                )}{" "}
                {time !== null && <small>{ago(time, office.live.now.value)}</small>}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
