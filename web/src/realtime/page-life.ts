/** What a page goes through, as far as a connection must know it. In a worker, or outside a browser, nothing happens. */

export interface PageLife {
  /** The network, the machine or the page has come back: the connection may be dead without knowing it. */
  wake(): void;
  /** The page is put away, perhaps for good. */
  hide(): void;
  /** The page is back as it was (from the back-forward cache). */
  show(): void;
}

interface Host {
  addEventListener?(type: string, listener: (event: { readonly persisted?: boolean }) => void): void;
  readonly document?: {
    readonly visibilityState: string;
    addEventListener(type: string, listener: () => void): void;
  };
}

export function watchPage(life: PageLife): void {
  const { document, addEventListener } = globalThis as unknown as Host;
  if (!document || !addEventListener) {
    return;
  }
  addEventListener("online", () => life.wake());
  addEventListener("offline", () => life.wake());
  addEventListener("pagehide", () => life.hide());
  addEventListener("pageshow", ({ persisted }) => persisted && life.show());
  // After a freeze; see the Page Lifecycle API.
  document.addEventListener("resume", () => life.wake());
  // Whoever looks again wants to know now, not at the end of a delay that began while nobody looked.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      life.wake();
    }
  });
}
