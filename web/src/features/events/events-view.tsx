import type { Office } from "../../dashboard/office";
import { EventPanel } from "../../parts/event-panel";

/** The list of events with all the room there is, and the raw JSON of each. */
export function EventsView({ office: { live } }: { office: Office }) {
  return <EventPanel live={live} full />;
}
