/** The way in where the server asks for a token, which opens a browser session. */

import { useSignal, useSignalEffect } from "@preact/signals";
import type { LiveFleet } from "../fleet/live";
import { linkTrouble, readSession, signIn } from "../page/signing-in";

const READS = ["read", "fleet"];

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
      refusal.value = await signIn({ token: token.trim() });
      if (refusal.value === null) {
        location.reload();
      }
    }
  }

  if (!needed.value) {
    return linkTrouble.value === null ? null : (
      <p class="panel sign-in" role="alert">
        {linkTrouble.value}
      </p>
    );
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
  const session = await readSession();
  return session?.tokenRequired === true && !session.scopes.some((scope) => READS.includes(scope));
}
