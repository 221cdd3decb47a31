import type { Office } from "../dashboard/office";
import { PLACES, type Place, type Route } from "../page/route";
import { Picture } from "../parts/picture";

/** The menu: a rail at the left, and tabs at the bottom of a phone. */
export function Navigation({ office }: { office: Office }) {
  const route = office.router.route.value;
  const needs = office.needs.value.length;
  return (
    <nav class="places" aria-label="Views">
      <ul>
        {PLACES.map((place) => (
          <li key={place.view}>
            <a href={place.path} aria-current={isCurrent(place, route) ? "page" : undefined}>
              <Picture name={place.view} />
              <span class="place-title">{place.title}</span>
              {place.view === "alerts" && needs > 0 && (
                <span class="place-count">
                  {needs}
                  <span class="unseen"> need you</span>
                </span>
              )}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function isCurrent({ view }: Place, route: Route): boolean {
  return (
    view === route.view ||
    (view === "floor" && (route.view === "agent" || route.view === "session")) ||
    (view === "alerts" && route.view === "questions") ||
    (view === "leads" && route.view === "opportunities") ||
    (view === "events" && ["search", "archive", "logs"].includes(route.view))
  );
}
