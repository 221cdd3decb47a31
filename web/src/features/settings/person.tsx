/** Whether this browser may decide, and the browsers that are signed in. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { serverNow } from "../../page/server-clock";
import {
  askForCode,
  type Browser,
  browserName,
  readBrowsers,
  readSession,
  type Session,
  signIn,
  signOut,
  signOutBrowser,
} from "../../page/signing-in";
import { ago, moment } from "../../words/age";

function usedAgo(used: string): string {
  const time = moment(used);
  return time === null ? used : ago(time, serverNow());
}

export function Person() {
  const session = useSignal<Session | null>(null);
  const browsers = useSignal<readonly Browser[]>([]);
  const asked = useSignal(false);
  const trouble = useSignal<string | null>(null);

  async function refresh(): Promise<void> {
    session.value = await readSession();
    browsers.value = session.value?.signedIn ? await readBrowsers() : [];
  }

  async function ask(): Promise<void> {
    trouble.value = await askForCode();
    asked.value = asked.value || trouble.value === null;
  }

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    const code = form instanceof HTMLFormElement ? new FormData(form).get("code") : null;
    trouble.value = await signIn({ code: String(code ?? "") });
    if (trouble.value === null) {
      location.reload();
    }
  }

  async function leave(): Promise<void> {
    trouble.value = await signOut();
    if (trouble.value === null) {
      location.reload();
    }
  }

  async function end(id: string): Promise<void> {
    trouble.value = await signOutBrowser(id);
    await refresh();
  }

  useEffect(() => {
    void refresh();
  }, []);

  return (
    <fieldset>
      <legend>You</legend>
      {session.value?.signedIn ? (
        <>
          <p>Signed in as {session.value.name}.</p>
          <button type="button" onClick={leave}>
            Sign out
          </button>
          <ul class="browsers" aria-label="Signed-in browsers">
            {browsers.value.map((one) => (
              <li key={one.id}>
                <span dir="auto" title={one.userAgent ?? undefined}>
                  {browserName(one.userAgent)}, {one.address ?? "no address"}, used {usedAgo(one.used)}
                </span>{" "}
                {one.current ? (
                  <em>this browser</em>
                ) : (
                  <button type="button" onClick={() => void end(one.id)}>
                    Sign out
                  </button>
                )}
              </li>
            ))}
          </ul>
        </>
      ) : (
        <>
          <p>Sign in to answer questions and permissions here. The terminal of the server shows a code.</p>
          <button type="button" onClick={ask}>
            Show a code in the terminal
          </button>
          {asked.value && (
            <form onSubmit={submit}>
              <label>
                Code{" "}
                <input name="code" inputMode="numeric" autocomplete="one-time-code" maxLength={7} required />
              </label>
              <button type="submit">Sign in</button>
            </form>
          )}
        </>
      )}
      {trouble.value !== null && <p role="alert">{trouble.value}</p>}
    </fieldset>
  );
}
