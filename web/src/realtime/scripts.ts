/** Where the client's other scripts are: the fold of the state, and the worker that shares a connection. */

import type { Fold } from "./reader";

interface Host {
  readonly location?: { readonly href: string };
  readonly document?: { readonly currentScript?: { readonly src?: string } | null };
}

const HOST = globalThis as unknown as Host;

export function pageAddress(): string | undefined {
  return HOST.location?.href;
}

/** Where this script came from; a classic script knows that only while it is being run, a bundle does not at all. */
export const SCRIPT_URL =
  HOST.document?.currentScript?.src ||
  (import.meta.url?.endsWith("/realtime.mjs") ? import.meta.url : undefined);

let foldAttempts = 0;

/**
 * Load the fold: from the server, where this script is a copy that is elsewhere, and in turn from next to the script. By
 * its whole address, since a script of another origin has no base of its own; and by another one each time, since a
 * browser remembers a failure.
 */
export function loadFold(apiUrl: string): Promise<Fold> {
  if (!SCRIPT_URL) {
    return import("../state/index");
  }
  const places = [new URL("realtime-state.mjs", SCRIPT_URL), new URL("/js/realtime-state.mjs", apiUrl)];
  if (places[0]?.origin !== places[1]?.origin) {
    places.reverse();
  }
  const url = places[foldAttempts % 2] as URL;
  url.search = foldAttempts > 0 ? `${foldAttempts}` : "";
  foldAttempts += 1;
  return import(/* @vite-ignore */ url.href);
}

/** The worker's script is next to this one; one of another origin cannot be used. */
export function workerNextTo(pageUrl: string | undefined, scriptUrl: string | undefined): string | null {
  if (!pageUrl?.startsWith("http") || !scriptUrl) {
    return null;
  }
  const url = new URL("realtime-worker.js", scriptUrl);
  return url.origin === new URL(pageUrl).origin ? url.href : null;
}
