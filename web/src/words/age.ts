/** Times in words. All moments are in milliseconds since 1970. */

const UNITS = [
  ["day", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

/** How long ago it was: `now`, `12 s ago`, `3 min ago`, `2 days ago`. */
export function ago(moment: number, now: number): string {
  const seconds = Math.floor((now - moment) / 1000);
  for (const [unit, length] of UNITS) {
    const count = Math.floor(seconds / length);
    if (count >= 1) {
      return `${count} ${unit === "day" && count > 1 ? "days" : unit} ago`;
    }
  }
  return "now";
}

/** The time of day, on the clock of whoever looks. */
export function clock(moment: number): string {
  return new Date(moment).toLocaleTimeString(undefined, { hour12: false });
}

/** The day, where it is not that of `now`, and the time to the minute. */
export function dayAndTime(moment: number, now: number): string {
  const [then, today] = [new Date(moment), new Date(now)];
  const time = then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return then.toDateString() === today.toDateString()
    ? time
    : `${then.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" })} ${time}`;
}

/** Read a time from a record; null where it is none. */
export function moment(value: unknown): number | null {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}
