/** Where the server is looked for, where nobody says it. */

import type { Endpoint } from "../client/transport";

/** The ports of the earlier server, which pages that are served elsewhere expect it at. */
const API_PORT = 3001;
const WS_PORT = 3002;

export interface Address {
  readonly wsUrl?: string | null | undefined;
  readonly apiUrl?: string | null | undefined;
}

/**
 * Return where to look, in this order: as it was said; else the page's own origin, that of the script, and the ports of
 * the earlier server. Every address serves both the WebSocket and the HTTP interface, so that one tells the other.
 */
export function endpointsFor(
  { wsUrl, apiUrl }: Address,
  pageUrl: string | undefined,
  scriptUrl: string | undefined,
): [Endpoint, ...Endpoint[]] {
  if (wsUrl || apiUrl) {
    const api = apiUrl || new URL(withScheme(wsUrl || "", "http")).origin;
    return [{ apiUrl: api.replace(/\/+$/, ""), wsUrl: wsUrl || atOrigin(api).wsUrl }];
  }
  const page = pageUrl ? new URL(pageUrl) : null;
  const host = page?.hostname || "localhost";
  const secure = page?.protocol === "https:" ? "s" : "";
  const found: Endpoint[] = [];
  for (const url of [pageUrl, scriptUrl]) {
    if (url?.startsWith("http")) {
      found.push(atOrigin(new URL(url).origin));
    }
  }
  const usual: Endpoint = {
    wsUrl: `ws${secure}://${host}:${WS_PORT}/api/ws`,
    apiUrl: `http${secure}://${host}:${API_PORT}`,
  };
  const all = [...found, usual];
  const first = all.findIndex(({ apiUrl: api }) => api === usual.apiUrl);
  const [one = usual, ...others] = all.filter(
    ({ apiUrl: api }, place) => place <= first && all.findIndex((other) => other.apiUrl === api) === place,
  );
  return [one, ...others];
}

function atOrigin(apiUrl: string): Endpoint {
  return { apiUrl, wsUrl: withScheme(new URL("/api/ws", apiUrl).href, "ws") };
}

/** Change `http` into `ws` or back; whether it is secure stays. */
function withScheme(url: string, scheme: "http" | "ws"): string {
  return url.replace(/^(http|ws)/, scheme);
}
