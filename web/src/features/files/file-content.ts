/** The content of a file of the workspace, as the server has it. */

import { signal } from "@preact/signals";
import { isData } from "../../client/protocol";
import { fetchSigned, readKey } from "../../client/session-key";

/** Longer Markdown and JSON are shown as they are written: making a page of them would hold the browser up. */
const LONGEST_PRETTY = 200_000;

export type Shown = {
  readonly size: number;
  readonly modified: string | null;
  /** What a text was read as that is not UTF-8; null for the others. */
  readonly encoding: string | null;
} & (
  | { readonly kind: "text" | "markdown"; readonly text: string }
  | { readonly kind: "image"; readonly url: string }
);

export class FileContent {
  readonly shown = signal<Shown | null>(null);
  readonly trouble = signal<string | null>(null);
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<void> {
    const address = `/api/files/content?${new URLSearchParams({ path: this.#path })}`;
    try {
      const response = await fetchSigned(address);
      if (!response.ok) {
        const problem: unknown = await response.json().catch(() => null);
        const detail = isData(problem) ? problem.detail : null;
        this.trouble.value = typeof detail === "string" ? detail : `The server answers ${response.status}.`;
        return;
      }
      const modified = response.headers.get("x-modified");
      const named = response.headers.get("x-encoding");
      const encoding = named === "utf-8" ? null : named;
      if (response.headers.get("content-type")?.startsWith("image/")) {
        const picture = await response.blob();
        // By another address after each change, since a browser keeps a picture that it has shown.
        const plain = `${address}&${new URLSearchParams({ modified: modified ?? "" })}`;
        // A picture's own request carries no key.
        const url = readKey() === undefined ? plain : await dataUrl(picture);
        this.shown.value = { kind: "image", url, size: picture.size, modified, encoding };
      } else {
        const text = await response.text();
        const size = Number(response.headers.get("x-size") ?? new TextEncoder().encode(text).length);
        this.shown.value = { ...presented(this.#path, text), size, modified, encoding };
      }
      this.trouble.value = null;
    } catch {
      this.trouble.value = "The server cannot be reached.";
    }
  }
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** Choose how a text is shown, by its name and its content. */
export function presented(path: string, text: string): { kind: "text" | "markdown"; text: string } {
  if (text.length <= LONGEST_PRETTY) {
    if (/\.(md|markdown)$/i.test(path)) {
      return { kind: "markdown", text };
    }
    if (/\.json$/i.test(path)) {
      try {
        return { kind: "text", text: JSON.stringify(JSON.parse(text), null, 2) };
      } catch {
        // Half written, or not JSON at all: it is shown as it is.
      }
    }
  }
  return { kind: "text", text };
}
