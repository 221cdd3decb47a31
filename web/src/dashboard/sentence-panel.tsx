import { clock } from "./age";
import type { LiveFleet } from "./live";
import { sentenceOf } from "./sentence";

/** The only part that a screen reader speaks of its own accord. */
export function SentencePanel({ live }: { live: LiveFleet }) {
  return (
    <p class="sentence" aria-live="polite" aria-atomic="true">
      {sentenceFor(live)}
    </p>
  );
}

function sentenceFor(live: LiveFleet): string {
  const { reason } = live.connection.value;
  const fleet = live.fleet.value;
  const frozenAt = live.frozenAt.value;
  if (frozenAt !== null) {
    return `Frozen at ${clock(frozenAt)}. ${reason ?? ""} Below is what was known then.`;
  }
  if (fleet === null) {
    return reason ?? "Asking the server how the fleet is doing …";
  }
  return sentenceOf(fleet.agents, live.alerts.value.length);
}
