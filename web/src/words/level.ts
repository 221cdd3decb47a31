/** How grave a share of something is, in a word. */

export type Level = "fine" | "warn" | "critical";

export function levelOf(percent: number, warnAt = 80): Level {
  if (percent >= 100) {
    return "critical";
  }
  return percent >= warnAt ? "warn" : "fine";
}
