/** Requests to the server's HTTP interface, and what its refusals mean. */

import {
  type Cursor,
  formatCursor,
  isData,
  type Page,
  parsePage,
  parseSnapshot,
  type Snapshot,
} from "./protocol";
import { KEY_HEADER, keyFor } from "./session-key";
import { type Failure, NO_MESSAGE, UNREACHABLE } from "./transport";

/** How long an answer may take, in milliseconds, where nobody says otherwise: a link that is half open gives none. */
const PATIENCE = 30_000;

/** What a request came to that did not come to an answer. */
export class RequestFailed extends Error {
  readonly failure: Failure;
  readonly status: number;

  constructor(failure: Failure, status = 0) {
    super(failure.reason);
    this.name = "RequestFailed";
    this.failure = failure;
    this.status = status;
  }
}

export interface HttpOptions {
  readonly apiUrl: string;
  readonly token?: string | undefined;
  /** The key of the browser session, where it is not to be read from this browser; see `session-key.ts`. */
  readonly key?: string | undefined;
}

/** Send a request; throws `RequestFailed` for anything but success, and for a server that cannot be reached. */
export async function request(
  path: string,
  { apiUrl, token, key }: HttpOptions,
  init: RequestInit & { readonly headers?: Record<string, string> } = {},
): Promise<Response> {
  const own = keyFor(apiUrl, key);
  const proof = token ? { authorization: `Bearer ${token}` } : own && { [KEY_HEADER]: own };
  const headers = { ...init.headers, ...proof };
  let response: Response;
  try {
    const signal = init.signal ?? AbortSignal.timeout(PATIENCE);
    response = await fetch(`${apiUrl}${path}`, { cache: "no-store", ...init, signal, headers });
  } catch {
    throw new RequestFailed({ reason: UNREACHABLE });
  }
  if (!response.ok) {
    throw new RequestFailed(await failureOf(response), response.status);
  }
  return response;
}

export async function readJson(path: string, options: HttpOptions, signal?: AbortSignal): Promise<unknown> {
  const response = await request(path, options, signal ? { signal } : {});
  try {
    return await response.json();
  } catch {
    throw new RequestFailed({ reason: NO_MESSAGE });
  }
}

/** Read the events after a cursor; from the head on where there is none. `wait` in seconds. */
export async function readPage(
  options: HttpOptions,
  since: Cursor | null,
  wait: number,
  signal?: AbortSignal,
): Promise<Page> {
  const query = new URLSearchParams({ limit: "1000", wait: String(wait) });
  if (since) {
    query.set("since", formatCursor(since));
  }
  const page = parsePage(await readJson(`/api/events?${query}`, options, signal));
  if (!page) {
    throw new RequestFailed({ reason: NO_MESSAGE });
  }
  return page;
}

/** Read the whole state; `at` is an earlier moment, as RFC 3339. */
export async function readSnapshot(options: HttpOptions, at?: string): Promise<Snapshot> {
  const query = at === undefined ? "" : `?${new URLSearchParams({ at })}`;
  const snapshot = parseSnapshot(await readJson(`/api/snapshot${query}`, options));
  if (!snapshot) {
    throw new RequestFailed({ reason: NO_MESSAGE });
  }
  return snapshot;
}

async function failureOf(response: Response): Promise<Failure> {
  const { status } = response;
  const problem: unknown = await response.json().catch(() => null);
  const reason = isData(problem) && typeof problem.detail === "string" ? problem.detail : `HTTP ${status}.`;
  const seconds = Number(response.headers.get("retry-after"));
  return {
    reason,
    final: status === 401 || status === 403,
    ...(seconds > 0 && { delay: seconds * 1000 }),
  };
}
