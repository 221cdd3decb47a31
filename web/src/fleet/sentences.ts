/**
 * Sentences from templates: the server's catalogue, by the server's rules (`events/sentence_templates.py` has them in
 * words); `spec/sentences.json` holds events and sentences for both.
 */

import catalogue from "../../../src/missioncontrol/events/sentences.en.json";
import { type Data, isData } from "../client/protocol";
import { isolated } from "../words/direction";

/** Turns an agent's id into its name. */
export type NameOf = (id: string) => string;

export interface Sentence {
  /** Who or what it is about; set apart from the rest. */
  readonly subject: string;
  readonly text: string;
}

interface Template<Part> {
  readonly subject: Part;
  readonly text: Part;
}

interface Value {
  readonly path: readonly string[];
  readonly format: string;
}

type Part = string | { readonly values: readonly Value[] } | { readonly optional: readonly Part[] };

/** What a template is rendered with; `quote` is put around each text of others. */
interface Context {
  readonly data: Data;
  readonly nameOf: NameOf;
  readonly quote: (text: string) => string;
}

const MOST_LISTED = 20;
const LONGEST_CHANGE = 40;
/** From here on one whole number is not told from the next. */
const MOST = 2 ** 53;

type Words = Readonly<Record<string, string>>;
type Forms = Readonly<Record<string, string | null>>;

const WORDS: ReadonlyMap<string, Words> = new Map(Object.entries(catalogue.words));
const PLURALS: ReadonlyMap<string, Forms> = new Map(Object.entries(catalogue.plurals));
const SENTENCES = new Map(
  Object.entries(catalogue.sentences).map(([type, found]) => [type, found.map(read)]),
);
const GAP = catalogue.gap.map(read);

/** The types of events that have sentences. */
export const TYPES: ReadonlySet<string> = new Set(SENTENCES.keys());

/** What an event says; null where its type has no sentence, or its data not what the sentences need. */
export function sentenceOf(type: string, data: Data, nameOf: NameOf): Sentence | null {
  return first(SENTENCES.get(type) ?? [], data, nameOf);
}

/** Which events are missing, and why. */
export function sentenceOfGap(from: number, to: number, reason: string): Sentence {
  const data = { from, count: Math.max(1, to - from + 1), reason, ...(to > from ? { to } : {}) };
  return first(GAP, data, String) ?? { subject: String(from), text: reason };
}

function first(templates: readonly Template<readonly Part[]>[], data: Data, nameOf: NameOf): Sentence | null {
  for (const template of templates) {
    const subject = render(template.subject, { data, nameOf, quote: (text) => text });
    const text = subject === null ? null : render(template.text, { data, nameOf, quote: isolated });
    if (subject !== null && text !== null) {
      return { subject, text };
    }
  }
  return null;
}

function render(parts: readonly Part[], context: Context): string | null {
  const found: string[] = [];
  for (const part of parts) {
    if (typeof part === "string") {
      found.push(part);
    } else if ("optional" in part) {
      found.push(render(part.optional, context) ?? "");
    } else {
      const value = written(part.values, context);
      if (value === null) {
        return null;
      }
      found.push(value);
    }
  }
  return found.join("");
}

function written(values: readonly Value[], context: Context): string | null {
  for (const { path, format } of values) {
    const text = write(format, at(context.data, path), context);
    if (text !== null) {
      return text;
    }
  }
  return null;
}

function write(format: string, value: unknown, { data, nameOf, quote }: Context): string | null {
  const words = WORDS.get(format);
  if (words) {
    return wordFor(words, value);
  }
  if (PLURALS.has(format)) {
    return plural(format, Array.isArray(value) ? value.length : numberIn(value));
  }
  const quoted = (text: string | null) => (text === null ? null : quote(text));
  switch (format) {
    case "":
      return quoted(textIn(value));
    case "agent": {
      const id = textIn(value);
      return id === null ? null : quote(nameOf(id));
    }
    case "path":
      return quoted(pathIn(value, data.agentId));
    case "list":
    case "options":
      return quoted(listed(value, catalogue.separators[format]));
    case "changes":
      return quoted(changes(value));
  }
  const number = numberIn(value);
  return number === null ? null : figure(format, number);
}

function figure(format: string, number: number): string {
  switch (format) {
    case "bytes":
      return size(number);
    case "dollars":
      return `${number < 0 ? "-" : ""}$${rounded(Math.abs(number), 2)}`;
    case "percent":
      return `${rounded(number, 0)}%`;
    case "amount":
      return rounded(Math.abs(number), 0);
    case "count":
      return rounded(number, 0);
    default:
      return rounded(number, 2).replace(/\.?0+$/, "");
  }
}

function size(bytes: number): string {
  if (bytes < 1024) {
    return plural("byteCount", bytes) ?? "";
  }
  let value = bytes;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    value /= 1024;
    if (value < 1024) {
      return `${rounded(value, 1)} ${unit}`;
    }
  }
  return `${rounded(value / 1024, 1)} TiB`;
}

function plural(name: string, count: number | null): string | null {
  const forms = PLURALS.get(name) ?? {};
  if (count === null) {
    return null;
  }
  if (count === 0 && "=0" in forms) {
    return forms["=0"] ?? null;
  }
  const form = (count === 1 ? forms.one : null) || forms.other || "";
  return form.replaceAll("{n}", rounded(count, 0));
}

function listed(value: unknown, separator: string): string | null {
  if (!Array.isArray(value)) {
    return null;
  }
  const texts = value.slice(0, MOST_LISTED).flatMap((one) => textIn(one) ?? []);
  return [...texts, ...(value.length > MOST_LISTED ? ["…"] : [])].join(separator) || null;
}

/** The fields that have changed, with their values where those are short enough to read. */
function changes(value: unknown): string | null {
  if (!isData(value)) {
    return null;
  }
  const all = Object.keys(value);
  const others = all.filter((name) => name !== "updated");
  const names = others.length > 0 ? others : all;
  const parts = names.slice(0, MOST_LISTED).map((name) => change(name, value[name]));
  return [...parts, ...(names.length > MOST_LISTED ? ["…"] : [])].join(catalogue.separators.changes) || null;
}

function change(name: string, value: unknown): string {
  // As words: `lastActive` is "last active".
  const words = name.replace(/([A-Z])/g, " $1").toLowerCase();
  const text = wordFor(catalogue.words.value, value) ?? textIn(value);
  if (text === null) {
    return words;
  }
  const letters = [...text];
  const short = letters.length > LONGEST_CHANGE ? `${letters.slice(0, LONGEST_CHANGE).join("")}…` : text;
  return `${words}${catalogue.separators.change}${short}`;
}

function read({ subject, text }: Template<string>): Template<readonly Part[]> {
  return { subject: partsOf(subject), text: partsOf(text) };
}

function partsOf(template: string): readonly Part[] {
  const whole: Part[] = [];
  const stack = [whole];
  for (const [token, field] of template.matchAll(/\{([^{}]*)\}|[[\]]|[^[\]{}]+/g)) {
    const last = stack.at(-1) ?? whole;
    if (field !== undefined) {
      last.push({ values: field.split("|").map(pathAndFormat) });
    } else if (token === "[") {
      const optional: Part[] = [];
      last.push({ optional });
      stack.push(optional);
    } else if (token === "]") {
      stack.pop();
    } else {
      last.push(token);
    }
  }
  return whole;
}

function pathAndFormat(text: string): Value {
  const [path = "", format = ""] = text.split(":");
  return { path: path.split("."), format };
}

function at(data: unknown, path: readonly string[]): unknown {
  let value = data;
  for (const key of path) {
    if (!isData(value) || !Object.hasOwn(value, key)) {
      return undefined;
    }
    value = value[key];
  }
  return value;
}

/** The word for a value; null where the list has none. */
function wordFor(words: Words, value: unknown): string | null {
  const key =
    value === undefined
      ? "missing"
      : value === null || typeof value === "boolean"
        ? String(value)
        : typeof value === "string"
          ? value
          : "";
  return Object.hasOwn(words, key) ? (words[key] ?? null) : null;
}

function textIn(value: unknown): string | null {
  if (typeof value === "string") {
    return value.trim() || null;
  }
  const number = numberIn(value);
  return number === null ? null : String(number);
}

function numberIn(value: unknown): number | null {
  return typeof value === "number" && Math.abs(value) < MOST ? value : null;
}

/** So many decimal places, halves rounded up, with separators of thousands. */
function rounded(number: number, places: number): string {
  const scale = 10 ** places;
  const scaled = Math.floor(Math.abs(number) * scale + 0.5);
  const whole = Math.floor(scaled / scale).toLocaleString("en-US");
  const rest = places > 0 ? `.${String(scaled % scale).padStart(places, "0")}` : "";
  return `${number < 0 && scaled > 0 ? "-" : ""}${whole}${rest}`;
}

/** A path; one in the agent's own folder from there on: where that is is the same for all of its files. */
function pathIn(value: unknown, agent: unknown): string | null {
  const path = textIn(value);
  const own = path === null || typeof agent !== "string" ? -1 : path.indexOf(`/agents/${agent}/`);
  return own < 0 ? path : (path?.slice(own + 1) ?? null);
}
