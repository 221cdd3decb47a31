/** What is said of an agent; any field of its record but the id may be missing or of another shape. */

import { isData } from "../client/protocol";
import type { Agent } from "../state";
import type { Kind } from "../state/status";
import { moment } from "./age";

/** Beside each colour stands a sign, so that colour is never the only one. */
export const SIGNS: Readonly<Record<Kind, string>> = {
  busy: "▶",
  online: "●",
  idle: "–",
  offline: "○",
  waiting: "!",
  error: "✕",
  unknown: "?",
};

const STALE_AFTER_MS = 10 * 60_000;
/** An agent at rest may well say nothing for hours; one at work may not. */
const AT_WORK: ReadonlySet<Kind> = new Set(["busy", "online", "waiting"]);

/** When the status was last confirmed, if that is too long ago to be believed; null where it is fresh. */
export function staleSince(agent: Agent, now: number): number | null {
  const confirmed = moment(agent.confirmed);
  const stale = confirmed !== null && now - confirmed > STALE_AFTER_MS;
  return stale && AT_WORK.has(agent.kind) ? confirmed : null;
}

/** The current task in one line; null where there is none. */
export function taskOf(task: unknown): string | null {
  if (isData(task)) {
    return textOf(task.description) ?? textOf(task.title) ?? textOf(task.name) ?? textOf(task.id);
  }
  return textOf(task);
}

export function textOf(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
}

/** One or two letters that stand for the agent. */
export function initialsOf(name: string): string {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.length > 1 ? words.slice(0, 2).map((word) => [...word][0]) : [...name].slice(0, 2);
  return letters.join("").toUpperCase();
}

/** The number of colours in the style sheet's `.hue-…`. */
const HUES = 8;

/** A colour that is the agent's own on every screen. */
export function hueOf(id: string): number {
  let sum = 0;
  for (const letter of id) {
    sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 65_521;
  }
  return sum % HUES;
}
