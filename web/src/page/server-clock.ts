/**
 * The server's clock: times in the log are the server's, and a computer's clock may be hours off.
 *
 * A difference of up to two seconds counts as none: HTTP has whole seconds (RFC 9110, section 6.6.1), and an answer takes a
 * while.
 */

const SMALLEST_MS = 2_000;

let difference = 0;

/** What the server's clock shows now, in milliseconds since 1970, as far as that is known. */
export function serverNow(): number {
  return Date.now() + difference;
}

/**
 * Compare both clocks.
 *
 * @param date the `Date` of an answer.
 * @param asked when it was asked for, and `answered` when it came, by this computer's clock, in milliseconds since 1970.
 */
export function setServerTime(date: string | null, asked: number, answered: number): void {
  const time = Date.parse(date ?? "");
  if (!Number.isNaN(time)) {
    const off = time + 500 - (asked + answered) / 2;
    difference = Math.abs(off) > SMALLEST_MS ? off : 0;
  }
}
