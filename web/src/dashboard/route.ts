/** Which view a path means, and back: every view has its address. */

export type Route =
  | {
      readonly view: "floor" | "agents" | "tokens" | "files" | "events" | "alerts" | "questions" | "settings";
    }
  | { readonly view: "tasks" | "leads"; readonly id: string | null }
  | { readonly view: "ledger"; readonly day: string | null }
  | { readonly view: "search"; readonly text: string }
  | { readonly view: "agent"; readonly id: string }
  | { readonly view: "session"; readonly id: string; readonly message: string | null }
  | { readonly view: "nowhere"; readonly path: string };

/** The views that the menu shows, in its order. */
export const PLACES = [
  { view: "floor", path: "/", title: "Floor" },
  { view: "tasks", path: "/tasks", title: "Tasks" },
  { view: "tokens", path: "/tokens", title: "Tokens" },
  { view: "leads", path: "/leads", title: "Leads" },
  { view: "files", path: "/files", title: "Files" },
  { view: "events", path: "/events", title: "Events" },
  { view: "alerts", path: "/alerts", title: "Alerts" },
  { view: "settings", path: "/settings", title: "Settings" },
] as const;

/** What the tab says of views that are not in the menu. */
const TITLES = { questions: "Questions", search: "Search", session: "Transcript" } as const;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

export type Place = (typeof PLACES)[number];

export function parsePath(path: string): Route {
  const [noun = "", id = "", ...rest] = path.split("/").slice(1).filter(Boolean).map(decode);
  if (noun === "sessions" && id !== "" && rest.length < 2) {
    return { view: "session", id, message: rest[0] ?? null };
  }
  if (rest.length === 0) {
    if (noun === "") {
      return { view: "floor" };
    }
    if (noun === "tasks" || noun === "leads") {
      return { view: noun, id: id || null };
    }
    if (noun === "ledger" && (id === "" || DAY.test(id))) {
      return { view: "ledger", day: id || null };
    }
    if (noun === "agents") {
      return id ? { view: "agent", id } : { view: "agents" };
    }
    if (noun === "search") {
      return { view: "search", text: id };
    }
    if (noun === "questions" && id === "") {
      return { view: "questions" };
    }
    const place = PLACES.find(({ view }) => view === noun);
    if (place && id === "" && place.view !== "tasks" && place.view !== "leads") {
      return { view: place.view };
    }
  }
  return { view: "nowhere", path };
}

export function pathOfAgent(id: string): string {
  return `/agents/${encodeURIComponent(id)}`;
}

/** A session's transcript, or the place in it where something was said. */
export function pathOfSession(id: string, message: string | null = null): string {
  const path = `/sessions/${encodeURIComponent(id)}`;
  return message === null ? path : `${path}/${encodeURIComponent(message)}`;
}

export function pathOfTask(id: string): string {
  return `/tasks/${encodeURIComponent(id)}`;
}

export function pathOfLead(id: string): string {
  return `/leads/${encodeURIComponent(id)}`;
}

/** A day, as in `2026-11-23`; null for today. */
export function pathOfLedger(day: string | null): string {
  return day === null ? "/ledger" : `/ledger/${day}`;
}

export function pathOfSearch(text: string): string {
  return text === "" ? "/search" : `/search/${encodeURIComponent(text)}`;
}

/** What the tab of the browser says. */
export function titleOf(route: Route): string {
  if (route.view === "ledger") {
    return `${route.day === null ? "" : `${route.day} · `}Ledger · Mission Control`;
  }
  if (route.view === "questions" || route.view === "search" || route.view === "session") {
    return `${TITLES[route.view]} · Mission Control`;
  }
  const place = PLACES.find(({ view }) => view === route.view);
  const id = "id" in route && route.id !== null ? route.id : null;
  const words = [id, place && place.view !== "floor" ? place.title : null, "Mission Control"];
  return words.filter((word) => word !== null).join(" · ");
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
