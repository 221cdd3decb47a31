/** Letters that read from the right, and the invisible characters that turn the direction of what follows them. */
const TURNS =
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
/** They could close what is put around them here. */
const ISOLATES = /[\u2066-\u2069]/g;

/** A name or text of others as a part of a sentence: it reads in its own direction, and leaves the rest in place. */
export function isolated(text: string): string {
  return TURNS.test(text) ? `\u2068${text.replace(ISOLATES, "")}\u2069` : text;
}
