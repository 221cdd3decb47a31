/** What an agent's status means; the same rules as the server's, held together by `spec/status.json`. */

export const KINDS = ["busy", "idle", "online", "offline", "waiting", "error", "unknown"] as const;

export type Kind = (typeof KINDS)[number];

const WORDS = lookup(
  {
    busy:
      "busy working work running executing processing progress building thinking coding engaged " +
      "occupied started",
    idle:
      "idle standby standing sleeping asleep resting ready available free done complete completed " +
      "finished success",
    online: "online operational active up alive live connected healthy ok okay initialized deployed enabled",
    offline:
      "offline down stopped inactive disconnected disabled dead shutdown terminated retired " +
      "killed exited gone",
    waiting:
      "waiting wait pending blocked paused suspended hold queued awaiting approval permission " +
      "starting initializing booting loading",
    error: "error errored failed failing failure crashed critical broken timeout degraded unhealthy fault",
    unknown: "unknown none null undefined nothing missing",
  },
  " ",
);

const SIGNS = lookup(
  {
    busy: "🔵⚡🔥🔨🏃⚙🚀🛠",
    idle: "🟡💤😴🌙",
    online: "🟢✅✔💚",
    offline: "⚫⚪🔌",
    waiting: "⏳⌛⏸🟠✋",
    error: "🔴❌💥🚨🛑",
  },
  "",
);

const ALONE: ReadonlyMap<string, Kind> = new Map([
  ["on", "online"],
  ["off", "offline"],
]);

const DENIALS = new Set(["not", "no", "never", "non"]);

export function isKind(value: unknown): value is Kind {
  return (KINDS as readonly unknown[]).includes(value);
}

/**
 * Fold a status in anybody's words into a kind. The first known word counts (`idle (waiting for work)` is idle),
 * a denied one means its absence (`not running` is offline); then any word in -ing is work; then a sign.
 */
export function kindOf(status: string): Kind {
  const words = status.toLowerCase().match(/[a-z]+/g) ?? [];
  const alone = words.length === 1 ? ALONE.get(words[0] ?? "") : undefined;
  if (alone) {
    return alone;
  }
  for (const [position, word] of words.entries()) {
    const kind = WORDS.get(word);
    if (kind) {
      const denied = words.slice(Math.max(0, position - 2), position).some((before) => DENIALS.has(before));
      return denied ? absenceOf(kind) : kind;
    }
  }
  if (words.some((word) => word.length > 5 && word.endsWith("ing"))) {
    return "busy";
  }
  for (const sign of status) {
    const kind = SIGNS.get(sign);
    if (kind) {
      return kind;
    }
  }
  return "unknown";
}

function absenceOf(kind: Kind): Kind {
  return kind === "online" || kind === "busy" ? "offline" : "unknown";
}

function lookup(lists: Partial<Record<Kind, string>>, separator: string): ReadonlyMap<string, Kind> {
  const kinds = new Map<string, Kind>();
  for (const kind of KINDS) {
    // Spread, not split, where there is no separator: a sign may be two code units.
    const list = lists[kind] ?? "";
    for (const item of separator ? list.split(separator) : [...list]) {
      kinds.set(item, kind);
    }
  }
  return kinds;
}
