/** The files that are on disk now, the last modified first: a page of them, and more on request. */

import { signal } from "@preact/signals";
import { isData } from "../../client/protocol";
import { fetchSigned } from "../../client/session-key";
import { textOf } from "../../words/agent-words";
import { nextPage } from "./file-log";

const PAGE = 100;
/** How many a request may ask for. */
const LARGEST_PAGE = 1000;

export interface ListedFile {
  readonly path: string;
  readonly time: string;
  readonly agent: string | null;
  readonly size: number | null;
}

export class FileListing {
  /** Null until the server has answered. */
  readonly files = signal<readonly ListedFile[] | null>(null);
  /** How many there are in all. */
  readonly total = signal(0);
  readonly more = signal(false);
  readonly trouble = signal<string | null>(null);
  #next: string | null = null;
  #query = "";
  /** Only the answer to the newest request counts. */
  #asked = 0;

  /** Read what has these words in its path and is this agent's ("" for all): as much as was shown of it before. */
  async read(search: string, agent: string): Promise<void> {
    const query = new URLSearchParams({ ...(search && { search }), ...(agent && { agent }) }).toString();
    const shown = query === this.#query ? (this.files.peek()?.length ?? 0) : 0;
    this.#query = query;
    const limit = Math.min(LARGEST_PAGE, Math.max(PAGE, shown));
    await this.#load(`/api/files/activity?limit=${limit}${query && `&${query}`}`, []);
  }

  async older(): Promise<void> {
    if (this.#next !== null) {
      await this.#load(this.#next, this.files.peek() ?? []);
    }
  }

  async #load(path: string, before: readonly ListedFile[]): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const response = await fetchSigned(path);
      const body: unknown = await response.json();
      if (asked !== this.#asked) {
        return;
      }
      if (!response.ok || !Array.isArray(body)) {
        this.trouble.value = `The server answers ${response.status}.`;
        return;
      }
      this.trouble.value = null;
      this.#next = nextPage(response.headers.get("link"));
      this.more.value = this.#next !== null;
      this.total.value = Number(response.headers.get("x-total-count") ?? body.length);
      // A file that is written between two pages is in both.
      const files = [...before, ...body.flatMap((file) => fileIn(file) ?? [])];
      this.files.value = [...new Map(files.map((file) => [file.path, file])).values()];
    } catch {
      if (asked === this.#asked) {
        this.trouble.value = "The server cannot be reached.";
      }
    }
  }
}

function fileIn(value: unknown): ListedFile | null {
  const path = isData(value) ? textOf(value.relativePath) : null;
  return isData(value) && path !== null
    ? {
        path,
        time: textOf(value.modified) ?? "",
        agent: textOf(value.agentId),
        size: typeof value.size === "number" ? value.size : null,
      }
    : null;
}
