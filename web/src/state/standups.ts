/** Standups: what each agent did between two moments, as the server summed it up. The newest are kept. */

import { type Data, isData, type LogEvent } from "../client/protocol";
import { MAX_RECORD_BYTES, MAX_STANDUPS, MAX_STANDUPS_BYTES } from "./limits";
import type { Item } from "./tables";
import { type Folds, idIn, listIn, sizeOf } from "./values";

export interface Standup extends Item {
  /** The event that recorded it. */
  readonly event: number;
}

export const STANDUP_FOLDS: Folds<readonly Standup[]> = new Map([["standup:held", foldHeld]]);

function foldHeld(standups: readonly Standup[], { standup }: Data, event: LogEvent): readonly Standup[] {
  const id = isData(standup) ? idIn(standup.id) : null;
  // The first one of an id counts, as for questions.
  if (!isData(standup) || id === null || standups.some((known) => known.id === id)) {
    return standups;
  }
  const held = { ...standup, id, event: event.id };
  return sizeOf(held) <= MAX_RECORD_BYTES ? newest([held, ...standups]) : standups;
}

/** Those that fit. */
function newest(standups: readonly Standup[]): readonly Standup[] {
  let total = 0;
  const kept = standups.slice(0, MAX_STANDUPS);
  const over = kept.findIndex((standup) => {
    total += sizeOf(standup);
    return total > MAX_STANDUPS_BYTES;
  });
  return over < 0 ? kept : kept.slice(0, over);
}

export function standupsIn(value: unknown): readonly Standup[] {
  const found = listIn(value).slice(0, MAX_STANDUPS).filter(isStandup);
  return newest(found.filter((standup) => sizeOf(standup) <= MAX_RECORD_BYTES));
}

function isStandup(value: unknown): value is Standup {
  return isData(value) && typeof value.id === "string" && typeof value.event === "number";
}
