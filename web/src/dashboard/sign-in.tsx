/** The way in where the server asks for a token: it goes into a cookie that no script can read. */

import { useSignal, useSignalEffect } from "@preact/signals";
import { isData } from "../client/protocol";
import type { LiveFleet } from "./live";

export function SignIn({ live }: { live: LiveFleet }) {
  const needed = useSignal(false);
  const refusal = useSignal<string | null>(null);

  useSignalEffect(() => {
    if (live.connection.value.state === "error") {
      void tokenIsMissing().then((missing) => {
        needed.value = missing;
      });
    }
  });

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    const token = form instanceof HTMLFormElement ? new FormData(form).get("token") : null;
    if (typeof token === "string" && token !== "") {
      refusal.value = await openSession(token.trim());
      if (refusal.value === null) {
        location.reload();
      }
    }
  }

  if (!needed.value) {
    return null;
  }
  return (
    <form class="panel sign-in" onSubmit={submit}>
      <h2 class="ribbon">Sign in</h2>
      <label>
        Token <input name="token" type="password" autocomplete="current-password" required />
      </label>
      <button type="submit">Sign in</button>
      {refusal.value !== null && <p role="alert">{refusal.value}</p>}
    </form>
  );
}

async function tokenIsMissing(): Promise<boolean> {
  try {
    const response = await fetch("/api/session");
    const session: unknown = response.ok ? await response.json() : null;
    const scopes = isData(session) && Array.isArray(session.scopes) ? session.scopes : [];
    return isData(session) && session.tokenRequired === true && !scopes.includes("read");
  } catch {
    return false;
  }
}

/** Put the token into the cookie; returns why that was refused, or null. */
async function openSession(token: string): Promise<string | null> {
  try {
    const response = await fetch("/api/session", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
    });
    if (response.ok) {
      return null;
    }
    const problem: unknown = await response.json();
    return isData(problem) && typeof problem.detail === "string"
      ? problem.detail
      : `Refused (${response.status}).`;
  } catch {
    return "The server cannot be reached.";
  }
}
