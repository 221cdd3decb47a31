import type { Office } from "../dashboard/office";
import { sentenceOf } from "../fleet/sentence";
import { clock, dayAndTime } from "../words/age";

/** The only part that a screen reader speaks of its own accord. */
export function SentencePanel({ office }: { office: Office }) {
  return (
    <p class="sentence" aria-live="polite" aria-atomic="true">
      {sentenceFor(office)}
    </p>
  );
}

function sentenceFor({ live, awayHosts }: Office): string {
  const { reason } = live.connection.value;
  const fleet = live.fleet.value;
  const frozenAt = live.frozenAt.value;
  if (frozenAt !== null) {
    return `Frozen at ${clock(frozenAt)}. ${reason ?? ""} Below is what was known then.`;
  }
  if (fleet === null) {
    return reason ?? "Asking the server how the fleet is doing …";
  }
  const sentence = sentenceOf(fleet.agents, live.alerts.value.length, awayHosts.value);
  const pastAt = live.pastAt.value;
  // By the minute: whoever hears the page would not want to hear each second of what is played.
  return pastAt === null ? sentence : `The past, ${dayAndTime(pastAt, live.time.value)}: ${sentence}`;
}
