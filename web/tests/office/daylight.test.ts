import { expect, test } from "vitest";
import { daylightAt } from "../../src/office/daylight";

test("the lamps are lit at night and out at noon", () => {
  expect(daylightAt(12).lamps).toBe(0);
  expect(daylightAt(23).lamps).toBe(1);
  expect(daylightAt(2).stars).toBe(true);
});

test("the light changes little by little, all day long", () => {
  for (let hour = 0; hour < 24; hour += 0.25) {
    const [now, next] = [daylightAt(hour), daylightAt(Math.min(23.99, hour + 0.25))];
    expect(Math.abs(now.lamps - next.lamps)).toBeLessThan(0.2);
    expect(now.tint).toMatch(/^rgb\(\d+ \d+ \d+\)$/);
  }
});
