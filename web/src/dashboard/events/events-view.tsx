import { EventPanel } from "../event-panel";
import type { Office } from "../office";

/** The list of events with all the room there is, and the raw JSON of each. */
export function EventsView({ office: { live } }: { office: Office }) {
  return <EventPanel live={live} full />;
}
