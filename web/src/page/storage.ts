/** What this browser keeps for the page. Where it may keep nothing, the page works without. */

const PREFIX = "mission-control:";

export function readStored(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name) ?? "null");
  } catch {
    return null;
  }
}

export function store(name: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // It counts until the page is left.
  }
}
