import { expect, test } from "vitest";
import { Cat } from "../../src/office/cat";
import { planFor } from "../../src/office/plan";

test("the cat sleeps, walks over free floor, sits, and sleeps again", () => {
  const plan = planFor(12);
  const cat = new Cat(plan);
  const seen = new Set<string>([cat.pose.name]);
  let naps = 0;
  let before: string = cat.pose.name;
  for (let step = 0; step < 20 * 600; step += 1) {
    cat.step(0.05);
    const { name } = cat.pose;
    naps += name === "cat-sleep" && before !== name ? 1 : 0;
    before = name;
    seen.add(name);
    const [x, y] = [Math.round(cat.x), Math.round(cat.y)];
    expect([x, y, x >= 0 && y >= 0 && x < plan.width && y < plan.depth]).toEqual([x, y, true]);
  }
  expect([...seen].sort()).toEqual(["cat-sit", "cat-sleep", "cat-walk-1", "cat-walk-2"]);
  expect(naps).toBeGreaterThan(0);
});
