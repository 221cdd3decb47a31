/** Patterns of event types: an exact type, a category (`agent` or `agent:*`), or `*`; several with commas. */

const CATEGORY = /^[A-Za-z][A-Za-z0-9_.-]*(:\*)?$/;
const TYPE = /^[A-Za-z][A-Za-z0-9_.-]*:[A-Za-z0-9_][A-Za-z0-9_.:-]*$/;

export type Matcher = (type: string) => boolean;

/** What the patterns match; everything where there is none, null where one of them is none of the three forms. */
export function parsePatterns(text: string): Matcher | null {
  const patterns = text.split(/[\s,]+/).filter(Boolean);
  if (!patterns.every((pattern) => pattern === "*" || CATEGORY.test(pattern) || TYPE.test(pattern))) {
    return null;
  }
  if (patterns.length === 0 || patterns.includes("*")) {
    return () => true;
  }
  const categories = new Set<string>();
  const types = new Set<string>();
  for (const pattern of patterns) {
    if (CATEGORY.test(pattern)) {
      categories.add(pattern.replace(/:\*$/, ""));
    } else {
      types.add(pattern);
    }
  }
  return (type) => types.has(type) || categories.has(type.slice(0, type.indexOf(":")));
}
