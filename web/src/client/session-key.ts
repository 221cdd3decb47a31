/**
 * The key of this browser's session: the secret that the page keeps in addition to the cookie.
 *
 * Cookies are sent to all ports of a host; what is stored stays with this origin. One is of no use without the other.
 */

const NAME = "mission-control:key";
export const KEY_HEADER = "X-Session-Key";

/** Return the key; undefined where this browser is not signed in, or keeps nothing. */
export function readKey(): string | undefined {
  try {
    return storage().getItem(NAME) || undefined;
  } catch {
    // A worker, or a browser that keeps nothing.
    return undefined;
  }
}

/** Keep the key of a new session, or with null forget the old one. */
export function keepKey(key: string | null): void {
  try {
    if (key === null) {
      storage().removeItem(NAME);
    } else {
      storage().setItem(NAME, key);
    }
  } catch {
    // The session ends with the page.
  }
}

/** Return the key for an address of the page's own origin; undefined for all others. */
export function keyFor(url: string, key: string | undefined = readKey()): string | undefined {
  // Without a page there is no key.
  return key && new URL(url || "/", location.href).origin === location.origin ? key : undefined;
}

/** `fetch` with the key of the session. */
export function fetchSigned(path: string, init: RequestInit & { headers?: Record<string, string> } = {}) {
  const key = keyFor(path);
  return fetch(path, key ? { ...init, headers: { ...init.headers, [KEY_HEADER]: key } } : init);
}

interface Storage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

function storage(): Storage {
  return (globalThis as unknown as { readonly localStorage: Storage }).localStorage;
}
