/** Signing this browser in and out; see `docs/reference/access.md`. */

import { signal } from "@preact/signals";
import { isData } from "../client/protocol";
import { fetchSigned, keepKey } from "../client/session-key";

const LINK = "#sign-in=";
const UNREACHABLE = "The server cannot be reached.";

export interface Session {
  readonly name: string | null;
  readonly signedIn: boolean;
  readonly scopes: readonly string[];
  readonly tokenRequired: boolean;
}

export interface Browser {
  readonly id: string;
  readonly name: string;
  readonly used: string;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly current: boolean;
}

/** What a person signs in with. */
export type Proof = { readonly link: string } | { readonly code: string } | { readonly token: string };

/** Read who this browser is to the server; null where it cannot be reached. */
export async function readSession(): Promise<Session | null> {
  try {
    const response = await fetchSigned("/api/session");
    const session: unknown = response.ok ? await response.json() : null;
    if (!isData(session)) {
      return null;
    }
    return {
      name: typeof session.name === "string" ? session.name : null,
      signedIn: session.session === true,
      scopes: Array.isArray(session.scopes) ? session.scopes.map(String) : [],
      tokenRequired: session.tokenRequired === true,
    };
  } catch {
    return null;
  }
}

/** Sign in; returns why that was refused, or null. */
export async function signIn(proof: Proof): Promise<string | null> {
  const init =
    "token" in proof
      ? { headers: { Authorization: `Bearer ${proof.token}` } }
      : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(proof) };
  return send("/api/session", { method: "POST", ...init }, (opened) => {
    keepKey(typeof opened.key === "string" ? opened.key : null);
  });
}

/** Why the one-time link in the page's address was refused; null where it was not. */
export const linkTrouble = signal<string | null>(null);

/** Sign in with the one-time link in the page's address, if there is one. */
export async function followLink(): Promise<void> {
  if (!location.hash.startsWith(LINK)) {
    return;
  }
  const link = location.hash.slice(LINK.length);
  // First, so that the address is in no history even if the server does not answer.
  history.replaceState(history.state, "", location.pathname + location.search);
  linkTrouble.value = await signIn({ link });
}

/** Have the terminal show a code; returns why that was refused, or null. */
export function askForCode(): Promise<string | null> {
  return send("/api/session/codes", { method: "POST" });
}

/** Sign this browser out. */
export async function signOut(): Promise<string | null> {
  const refusal = await send("/api/session", { method: "DELETE" });
  if (refusal === null) {
    keepKey(null);
  }
  return refusal;
}

/** Sign another browser out; returns why that was refused, or null. */
export function signOutBrowser(id: string): Promise<string | null> {
  return send(`/api/session/browsers/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** Return the browsers that are signed in; none where this one may not know. */
export async function readBrowsers(): Promise<readonly Browser[]> {
  try {
    const response = await fetchSigned("/api/session/browsers");
    const page: unknown = response.ok ? await response.json() : null;
    return isData(page) && Array.isArray(page.browsers) ? page.browsers.flatMap(browserIn) : [];
  } catch {
    return [];
  }
}

const PROGRAMS = [
  ["Edg", "Edge"],
  ["OPR", "Opera"],
  ["Firefox", "Firefox"],
  ["Chrome", "Chrome"],
  ["Safari", "Safari"],
] as const;
const SYSTEMS = [
  ["Android", "Android"],
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Windows", "Windows"],
  ["Mac OS", "macOS"],
  ["Linux", "Linux"],
] as const;

/** A browser in a few words, as in `Firefox on Linux`, from what it calls itself; its own words where they say neither. */
export function browserName(userAgent: string | null): string {
  const said = userAgent ?? "";
  const program = PROGRAMS.find(([sign]) => said.includes(`${sign}/`))?.[1];
  const system = SYSTEMS.find(([sign]) => said.includes(sign))?.[1];
  return [program, system].filter(Boolean).join(" on ") || said || "A browser";
}

function browserIn(value: unknown): Browser[] {
  if (!isData(value) || typeof value.id !== "string") {
    return [];
  }
  return [
    {
      id: value.id,
      name: String(value.name),
      used: String(value.used),
      address: typeof value.address === "string" ? value.address : null,
      userAgent: typeof value.userAgent === "string" ? value.userAgent : null,
      current: value.current === true,
    },
  ];
}

async function send(
  path: string,
  init: RequestInit & { headers?: Record<string, string> },
  taken: (body: Readonly<Record<string, unknown>>) => void = () => {},
): Promise<string | null> {
  try {
    const response = await fetchSigned(path, init);
    const body: unknown = await response.json().catch(() => null);
    if (response.ok) {
      taken(isData(body) ? body : {});
      return null;
    }
    return isData(body) && typeof body.detail === "string" ? body.detail : `Refused (${response.status}).`;
  } catch {
    return UNREACHABLE;
  }
}
