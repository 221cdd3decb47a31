import { afterEach, expect, test, vi } from "vitest";
import { serverNow, setServerTime } from "../../src/page/server-clock";

const NOW = Date.parse("2026-11-23T10:15:00.000Z");

afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ["Mon, 23 Nov 2026 10:15:00 GMT", 0],
  ["Mon, 23 Nov 2026 10:15:01 GMT", 0],
  ["Mon, 23 Nov 2026 12:15:00 GMT", 2 * 3_600_000],
  ["Mon, 23 Nov 2026 08:15:00 GMT", -2 * 3_600_000],
])("where the server says %s its clock is %d ms from this one's", (date, off) => {
  vi.useFakeTimers({ now: NOW });
  setServerTime(date, NOW - 100, NOW);
  expect(Math.abs(serverNow() - NOW - off)).toBeLessThan(1_000);
  // An answer without a date, or with an odd one, changes nothing.
  for (const odd of [null, "", "yesterday"]) {
    setServerTime(odd, NOW, NOW);
    expect(Math.abs(serverNow() - NOW - off)).toBeLessThan(1_000);
  }
});
