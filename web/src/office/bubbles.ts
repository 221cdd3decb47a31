/** What is in somebody's mind: a small bubble over the head. Whoever calls keeps theirs; others have one now and then. */

import type { Person } from "./person";

export type Thought = "call" | "fault" | "code" | "dots" | "idea" | "cup" | "tune";

/** Every so many seconds those who are at work, or at rest, think of something for some seconds. */
const EVERY = 11;
const FOR = 2.4;

const AT_WORK: readonly Thought[] = ["code", "dots", "idea"];
const AT_REST: readonly Thought[] = ["cup", "tune"];

const COLOURS: Readonly<Record<string, string>> = {
  o: "#3a2233",
  w: "#ffffff",
  r: "#d94a3f",
  b: "#3f6fbd",
  y: "#ffc93c",
  k: "#8a5a2b",
  g: "#97a3ba",
};

/** Seven by seven pixels each. */
const ICONS: Readonly<Record<Thought, readonly string[]>> = {
  call: ["..rrr..", "..rrr..", "..rrr..", "..rrr..", ".......", "..rrr..", "..rrr.."],
  fault: ["w.....w", "ww...ww", ".ww.ww.", "..www..", ".ww.ww.", "ww...ww", "w.....w"],
  code: [".......", "..b.b..", ".b...b.", "b.....b", ".b...b.", "..b.b..", "......."],
  dots: [".......", ".......", "k..k..k", "k..k..k", ".......", ".......", "......."],
  idea: [".yyyyy.", "yywyyyy", "ywyyyyy", "yyyyyyy", ".yyyyy.", "..ggg..", "..ggg.."],
  cup: ["..g.g..", "...g.g.", ".......", "rrrrr..", "rrrrrr.", "rrrrrr.", ".rrr..."],
  tune: ["..bbbbb", "..b...b", "..b...b", "..b...b", "bbb.bbb", "bbb.bbb", "......."],
};

/** A bubble's size, with its tail; the tip of that is its lower middle. */
const WIDTH = 13;
const HEIGHT = 15;

/** Draw what somebody thinks of at a moment, if anything; the place is over the head. */
export function drawThought(
  pen: CanvasRenderingContext2D,
  person: Person,
  [x, y]: readonly [number, number],
  time: number | null,
): void {
  const thought = thoughtOf(person, time);
  if (thought !== null) {
    // Whoever calls is to be noticed.
    const hop = thought === "call" && time !== null && Math.floor(time * 3) % 2 ? 1 : 0;
    pen.drawImage(bubbleOf(thought), Math.round(x) - (WIDTH >> 1), Math.round(y) - HEIGHT - hop);
  }
}

/** `time` is null where nothing is to move: then only those call who need somebody. */
export function thoughtOf(person: Person, time: number | null): Thought | null {
  switch (person.kind) {
    case "waiting":
      return "call";
    case "error":
      return "fault";
    case "busy":
      return person.seated ? inTurn(AT_WORK, person, time) : null;
    case "idle":
      return inTurn(AT_REST, person, time);
    default:
      return null;
  }
}

function inTurn(thoughts: readonly Thought[], { id }: Person, time: number | null): Thought | null {
  if (time === null) {
    return null;
  }
  let own = 0;
  for (const sign of id) {
    own = (own * 31 + (sign.codePointAt(0) ?? 0)) % 9973;
  }
  const since = time + (own % (EVERY * 10)) / 10;
  return since % EVERY < FOR ? (thoughts[(Math.floor(since / EVERY) + own) % thoughts.length] ?? null) : null;
}

const drawn = new Map<Thought, HTMLCanvasElement>();

function bubbleOf(thought: Thought): HTMLCanvasElement {
  const known = drawn.get(thought);
  if (known) {
    return known;
  }
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const pen = canvas.getContext("2d");
  if (pen) {
    const outline = COLOURS.o ?? "";
    const paper = (thought === "fault" ? COLOURS.r : COLOURS.w) ?? "";
    for (const [colour, x, y, width, height] of [
      [outline, 1, 0, 11, 13],
      [outline, 0, 1, 13, 11],
      [outline, 4, 12, 5, 2],
      [outline, 5, 14, 3, 1],
      [paper, 2, 1, 9, 11],
      [paper, 1, 2, 11, 9],
      [paper, 5, 11, 3, 3],
    ] as const) {
      pen.fillStyle = colour;
      pen.fillRect(x, y, width, height);
    }
    ICONS[thought].forEach((row, y) => {
      [...row].forEach((letter, x) => {
        const colour = COLOURS[letter];
        if (colour) {
          pen.fillStyle = colour;
          pen.fillRect(x + 3, y + 3, 1, 1);
        }
      });
    });
  }
  drawn.set(thought, canvas);
  return canvas;
}
