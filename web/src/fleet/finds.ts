/** What the server has found, read with the care that anything from outside is read with. */

import { type Data, isData, isLogEvent, type LogEvent } from "../client/protocol";
import { textOf } from "../words/agent-words";

interface Found {
  readonly agentId: string | null;
  /** The text around what was found, in pieces; every other one is what was looked for. */
  readonly pieces: readonly string[];
}

export interface FoundEvent extends Found {
  readonly kind: "event";
  readonly event: LogEvent;
}

/** Something that was said in a session. */
export interface FoundMessage extends Found {
  readonly kind: "message";
  readonly id: string;
  readonly session: string;
  readonly time: string;
  /** Who speaks, or the tool that was called. */
  readonly by: string;
}

export type Find = FoundEvent | FoundMessage;

export interface Finds {
  readonly finds: readonly Find[];
  readonly count: number;
  readonly exact: boolean;
  /** How many events came after those that were looked through. */
  readonly lag: number;
  /** How many transcripts have more in them than was looked through. */
  readonly unread: number;
  /** Why no transcripts were looked through. */
  readonly trouble: string | null;
  /** Where the next page begins; null on the last one. */
  readonly next: string | null;
}

export function findsIn(told: unknown): Finds {
  const page: Data = isData(told) ? told : {};
  const results = Array.isArray(page.results) ? page.results : [];
  return {
    finds: results.flatMap((result) => findIn(result) ?? []),
    count: typeof page.count === "number" ? page.count : 0,
    exact: page.countIsExact !== false,
    lag: typeof page.lag === "number" ? page.lag : 0,
    unread: typeof page.unread === "number" ? page.unread : 0,
    trouble: textOf(page.trouble),
    next: textOf(page.next),
  };
}

function findIn(result: unknown): Find | null {
  if (!isData(result)) {
    return null;
  }
  const snippet: Data = isData(result.snippet) ? result.snippet : {};
  const found: Found = {
    agentId: textOf(result.agentId),
    pieces: piecesOf(textOf(snippet.text) ?? "", snippet.matches),
  };
  if (isLogEvent(result.event)) {
    return { kind: "event", event: result.event, ...found };
  }
  const [id, session, time] = [result.id, result.session, result.time].map(textOf);
  if (result.kind !== "message" || id == null || session == null || time == null) {
    return null;
  }
  return {
    kind: "message",
    id,
    session,
    time,
    by: textOf(result.tool) ?? textOf(result.role) ?? "",
    ...found,
  };
}

/** Cut a text at what was found; the server counts characters, and not halves of them. */
export function piecesOf(text: string, matches: unknown): readonly string[] {
  const characters = [...text];
  const pieces: string[] = [];
  let end = 0;
  for (const match of Array.isArray(matches) ? matches : []) {
    const [from, to] = Array.isArray(match) ? match : [];
    if (Number.isInteger(from) && Number.isInteger(to) && from >= end && to > from) {
      pieces.push(characters.slice(end, from).join(""), characters.slice(from, to).join(""));
      end = to;
    }
  }
  return [...pieces, characters.slice(end).join("")];
}
