/** Keeps a click that was meant for something else from answering what has just appeared under it. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** How long what has just appeared takes no click and no key. */
export const ARMS_AFTER_MS = 800;

export interface Armed {
  /** Whether it may be clicked. */
  readonly armed: boolean;
  /** To be called when a pointer leaves. */
  readonly left: (event: PointerEvent) => void;
}

/**
 * Says whether something has been in its place for long enough to be clicked, or the pointer has left it since.
 * @param shift changes with the place or the content of what may be clicked; then it begins from the start.
 */
export function useArmed(shift: unknown): Armed {
  const armedFor = useSignal<unknown>(undefined);
  useEffect(() => {
    const timer = setTimeout(() => {
      armedFor.value = shift;
    }, ARMS_AFTER_MS);
    return () => clearTimeout(timer);
  }, [shift, armedFor]);
  return {
    armed: armedFor.value === shift,
    left: ({ pointerType }) => {
      // A finger leaves with every tap, before its click.
      if (pointerType === "mouse") {
        armedFor.value = shift;
      }
    },
  };
}
