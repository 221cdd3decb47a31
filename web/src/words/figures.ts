/** Numbers as people read them. */

/** US dollars; a sum that is small, but not nothing, does not look like nothing. */
export function dollars(sum: number): string {
  if (sum > 0 && sum < 0.01) {
    return "< $0.01";
  }
  return `$${sum.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** All digits: `12,345`. */
export function whole(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

/** Short, for counters: `12.3K`. */
export function short(count: number): string {
  return SHORT.format(count);
}

/** `1 task`, `1,234 tasks`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${whole(count)} ${count === 1 ? noun : plural}`;
}

const BYTES = ["bytes", "KB", "MB", "GB"] as const;

export function bytes(size: number): string {
  let [left, unit] = [size, 0];
  while (left >= 1000 && unit < BYTES.length - 1) {
    left /= 1000;
    unit += 1;
  }
  if (size === 1) {
    return "1 byte";
  }
  return `${unit === 0 ? whole(left) : left.toFixed(left < 10 ? 1 : 0)} ${BYTES[unit]}`;
}

/** A span of hours in words: `40 min`, `6 h`, `3 days`. */
export function span(hours: number): string {
  if (hours < 1) {
    return `${Math.max(1, Math.round(hours * 60))} min`;
  }
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`;
}
