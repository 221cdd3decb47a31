/** What somebody types to find events: patterns of types, as in `agent:*`, and words, as in `scout`. */

import type { LogEvent } from "../client/protocol";
import { parsePatterns } from "../realtime/patterns";
import type { Line } from "./event-words";

export type Filter = (event: LogEvent) => boolean;

/** An event is wanted if one of the patterns matches its type, and every word stands in its line or its type. */
export function parseFilter(
  text: string,
  lineOf: (event: LogEvent) => Pick<Line, "subject" | "text">,
): Filter {
  const terms = text.split(/[\s,]+/).filter(Boolean);
  const matches = parsePatterns(terms.filter(isPattern).join(" "));
  const words = terms.filter((term) => !isPattern(term)).map((word) => word.toLowerCase());
  return (event) => {
    if (matches?.(event.type) === false) {
      return false;
    }
    if (words.length === 0) {
      return true;
    }
    const line = lineOf(event);
    const told = `${event.type} ${line.subject} ${line.text}`.toLowerCase();
    return words.every((word) => told.includes(word));
  };
}

/** A category alone reads like a word, and finds its events as one. */
function isPattern(term: string): boolean {
  return /[:*]/.test(term) && parsePatterns(term) !== null;
}
