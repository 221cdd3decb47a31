/** Which view a path means, and back: every view has its address. */

export type Route =
  | {
      readonly view:
        | "floor"
        | "agents"
        | "tokens"
        | "events"
        | "alerts"
        | "questions"
        | "opportunities"
        | "archive"
        | "logs"
        | "settings";
    }
  | { readonly view: "tasks" | "leads" | "standups"; readonly id: string | null }
  | { readonly view: "files"; readonly path: string | null }
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
  { view: "standups", path: "/standups", title: "Standup" },
  { view: "settings", path: "/settings", title: "Settings" },
] as const;

/** What the tab says of views that are not in the menu. */
const TITLES = {
  questions: "Questions",
  opportunities: "Opportunities",
  archive: "Conversations",
  logs: "Logs",
  search: "Search",
  session: "Transcript",
} as const;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

export type Place = (typeof PLACES)[number];

export function parsePath(path: string): Route {
  const [noun = "", id = "", ...rest] = path.split("/").slice(1).filter(Boolean).map(decode);
  if (noun === "sessions" && id !== "" && rest.length < 2) {
    return { view: "session", id, message: rest[0] ?? null };
  }
  if (noun === "files") {
    return { view: "files", path: [id, ...rest].join("/") || null };
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
    if (noun === "standups" || noun === "standup") {
      return { view: "standups", id: id || null };
    }
    if (isSimple(noun) && id === "") {
      return { view: noun };
    }
  }
  return { view: "nowhere", path };
}

/** The views at an address of one word. */
const SIMPLE = [
  "tokens",
  "events",
  "alerts",
  "questions",
  "opportunities",
  "archive",
  "logs",
  "settings",
] as const;

function isSimple(noun: string): noun is (typeof SIMPLE)[number] {
  return SIMPLE.some((view) => view === noun);
}

/** The path that an address means: `/#/logs`, as the earlier system's pages have it, is `/logs`. */
export function pathAt({ pathname, hash }: { readonly pathname: string; readonly hash: string }): string {
  return pathname === "/" && hash.startsWith("#/") ? hash.slice(1) : pathname;
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

export function pathOfStandup(id: string): string {
  return `/standups/${encodeURIComponent(id)}`;
}

export function pathOfLead(id: string): string {
  return `/leads/${encodeURIComponent(id)}`;
}

/**
 * A file of the workspace, by its path in there. That of a file in a workspace of an agent's own begins with `../`: this
 * stays in one segment with the name that follows, since a browser would resolve it.
 */
export function pathOfFile(path: string): string {
  const outside = /^(?:\.\.\/)+/.exec(path)?.[0] ?? "";
  const inside = path.slice(outside.length).split("/").map(encodeURIComponent).join("/");
  return `/files/${encodeURIComponent(outside)}${inside}`;
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
  if (route.view in TITLES) {
    return `${TITLES[route.view as keyof typeof TITLES]} · Mission Control`;
  }
  const place = PLACES.find(({ view }) => view === route.view);
  const file = route.view === "files" ? (route.path?.split("/").at(-1) ?? null) : null;
  const id = "id" in route && route.id !== null ? route.id : file;
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
