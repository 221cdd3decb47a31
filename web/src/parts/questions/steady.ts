/** Keeps questions in their places while somebody points at them: one that ends does not slide the next one there. */

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Question } from "../../state";

/** How long a question that is over stays in its place, at least. */
export const STAYS_MS = 4000;

interface Slot {
  question: Question;
  endedAt: number | null;
}

export interface SteadyList {
  /** The open ones, and those that have ended and are still in their places. */
  readonly slots: readonly Question[];
  /** Changes whenever something has moved. */
  readonly shift: number;
  /** Whether the pointer is over them; the list sets it. */
  readonly over: Signal<boolean>;
}

/**
 * Returns what to show of questions, in places that do not change under the pointer.
 * @param all every question that is known.
 * @param open those that are shown while they are open, in their order.
 * @param still whether the moment that is shown does not move: then nothing is kept.
 */
export function useSteady(all: readonly Question[], open: readonly Question[], still: boolean): SteadyList {
  const over = useSignal(false);
  const again = useSignal(0);
  const kept = useRef(new Map<string, Slot>());
  const shift = useRef(0);
  void again.value;

  const slots = kept.current;
  let due = Number.POSITIVE_INFINITY;
  if (still) {
    slots.clear();
  } else {
    const known = new Map(all.map((question) => [question.id, question]));
    const now = performance.now();
    for (const [id, slot] of slots) {
      slot.question = known.get(id) ?? { ...slot.question, status: "closed" };
      slot.endedAt = slot.question.status === "open" ? null : (slot.endedAt ?? now);
      const left = slot.endedAt === null ? Number.POSITIVE_INFINITY : slot.endedAt + STAYS_MS - now;
      if (left <= 0 && !over.value) {
        slots.delete(id);
        shift.current += 1;
      } else if (left > 0) {
        due = Math.min(due, left);
      }
    }
    for (const question of open) {
      if (!slots.has(question.id)) {
        slots.set(question.id, { question, endedAt: null });
      }
    }
  }

  useEffect(() => {
    if (due === Number.POSITIVE_INFINITY) {
      return;
    }
    const timer = setTimeout(() => {
      again.value += 1;
    }, due);
    return () => clearTimeout(timer);
  });

  const shown = still ? open : [...slots.values()].map(({ question }) => question);
  return { slots: shown, shift: shift.current, over };
}
