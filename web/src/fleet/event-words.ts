/** An event as a line for people. What it says of itself goes into the page as text, never as markup. */

import type { Data, Gap, LogEvent } from "../client/protocol";
import { isKind, kindOf } from "../state/status";
import { textOf } from "../words/agent-words";
import { isolated } from "../words/direction";
import type { Tone } from "../words/tone";
import { type NameOf, type Sentence, sentenceOf, sentenceOfGap } from "./sentences";

export interface Line extends Sentence {
  readonly sign: string;
  readonly tone: Tone;
}

const MOST_LETTERS = 160;

export function describeEvent({ type, data }: LogEvent, nameOf: NameOf): Line {
  const sentence = sentenceOf(type, data, nameOf);
  if (sentence) {
    return { ...sentence, sign: SIGNS.get(type) ?? "·", tone: toneOf(type, data) };
  }
  // Of another type, or not of the shape that its type has.
  return { sign: "·", subject: type, text: isolated(shorten(JSON.stringify(data))), tone: "plain" };
}

export function describeGap({ from, to, reason }: Gap): Line {
  return { ...sentenceOfGap(from, to, reason), sign: "…", tone: "warning" };
}

const SIGNS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "agent:statusChange": "◆",
    "agent:updated": "◇",
    "agent:activity": "✎",
    "agent:removed": "○",
    "file:change": "✎",
    "task:created": "☑",
    "task:updated": "☑",
    "task:completed": "☑",
    "task:assigned": "☑",
    "task:deleted": "☑",
    "lead:added": "★",
    "lead:updated": "★",
    "lead:scored": "★",
    "lead:removed": "★",
    "token:usage": "$",
    "token:threshold": "$",
    "question:asked": "?",
    "question:answered": "!",
    "question:closed": "?",
    "notification:sent": "✉",
    "notification:failed": "✉",
    "notification:started": "✉",
    "standup:held": "☰",
    "system:alert": "▲",
    "system:status": "■",
    "state:baseline": "⌂",
  }),
);

function toneOf(type: string, data: Data): Tone {
  switch (type) {
    case "agent:statusChange": {
      const kind = isKind(data.kind) ? data.kind : kindOf(textOf(data.status) ?? "");
      return kind === "error" ? "warning" : "plain";
    }
    case "question:asked":
    case "notification:failed":
      return "warning";
    case "token:threshold":
      return toneOfLevel(data.alert);
    case "system:alert":
      return toneOfLevel(data.level);
    default:
      return "plain";
  }
}

function toneOfLevel(level: unknown): Tone {
  return level === "critical" || level === "warning" ? level : "info";
}

function shorten(text: string): string {
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;
}
