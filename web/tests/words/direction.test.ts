import { expect, test } from "vitest";
import { isolated } from "../../src/words/direction";

const [OPEN, CLOSE] = ["\u2068", "\u2069"];

test.each(["Scout", "Zoë 👩‍🚀", "名前", "<b>", ""])("%s is left as it is", (text) => {
  expect(isolated(text)).toBe(text);
});

test.each(["قلم", "שלום", "a\u202ecba", "x \u200f y"])("%s is set apart", (text) => {
  expect(isolated(text)).toBe(`${OPEN}${text}${CLOSE}`);
});

test("nobody closes what is put around them", () => {
  expect(isolated(`a${CLOSE}\u202eb`)).toBe(`${OPEN}a\u202eb${CLOSE}`);
});
