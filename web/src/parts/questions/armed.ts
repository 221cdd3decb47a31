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

/** What a press begins and ends with; each is also what a key that is held down gives again and again. */
const PRESSES = ["pointerdown", "pointerup", "keydown"] as const;

/**
 * Says whether something has been in its place for long enough to be clicked, or the pointer has left it since.
 *
 * While somebody goes on pressing it is not armed, however long that takes: what they press was there before.
 * @param shift changes with the place or the content of what may be clicked; then it begins from the start.
 */
export function useArmed(shift: unknown): Armed {
  const armedFor = useSignal<unknown>(undefined);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const disarm = () => {
      for (const press of PRESSES) {
        window.removeEventListener(press, pressed, true);
      }
    };
    const begin = () => {
      timer = setTimeout(() => {
        armedFor.value = shift;
        disarm();
      }, ARMS_AFTER_MS);
    };
    const pressed = ({ target }: Event) => {
      // Whoever writes an answer presses keys, too.
      if (!(target instanceof HTMLInputElement)) {
        clearTimeout(timer);
        begin();
      }
    };
    begin();
    for (const press of PRESSES) {
      window.addEventListener(press, pressed, true);
    }
    return () => {
      clearTimeout(timer);
      disarm();
    };
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
