import type { LiveFleet } from "../../fleet/live";
import { HostBadge } from "../../parts/host-badge";
import type { Alert } from "../../state";
import { ago, moment } from "../../words/age";

const MOST_SHOWN = 3;

/** What somebody should know, until they say that they do. */
export function AlertPanel({ live }: { live: LiveFleet }) {
  const alerts = live.alerts.value;
  const more = alerts.length - MOST_SHOWN;
  if (alerts.length === 0) {
    return null;
  }
  return (
    <section class="panel alerts" aria-labelledby="alerts-title">
      <h2 id="alerts-title" class="ribbon">
        Alerts
      </h2>
      <ul>
        {alerts.slice(0, MOST_SHOWN).map((alert) => (
          <AlertLine key={alert.id} alert={alert} live={live} />
        ))}
        {more > 0 && <li class="more">and {more} before</li>}
      </ul>
      <button type="button" onClick={() => live.dismissAlerts()}>
        Dismiss
      </button>
    </section>
  );
}

function AlertLine({ alert, live }: { alert: Alert; live: LiveFleet }) {
  const { level, message, timestamp } = alert;
  const now = live.now.value;
  const time = moment(timestamp);
  return (
    <li class={level}>
      <b>
        <span aria-hidden="true">▲</span> {level === "critical" ? "Critical:" : "Warning:"}
      </b>{" "}
      <HostBadge live={live} host={live.hostOf(alert)} /> <span dir="auto">{message}</span>{" "}
      {time !== null && <span class="when">{ago(time, now)}</span>}
    </li>
  );
}
