/** The offices of a campus, one button each: who is at work there, who needs a person, and the way to it. */

import type { Signal } from "@preact/signals";
import type { Office } from "../../dashboard/office";
import { silenceWord } from "../../fleet/host-watch";
import { hostOf } from "../../fleet/hosts";
import type { Look } from "./running-floor";

interface OfficeSwitcherProps {
  readonly office: Office;
  readonly look: Signal<Look>;
  readonly go: (look: Look) => void;
}

export function OfficeSwitcher({ office, look, go }: OfficeSwitcherProps) {
  const { live, awayHosts, needs } = office;
  const agents = live.fleet.value?.agents ?? [];
  const at = look.value;
  return (
    <section class="offices" aria-label="Offices">
      <button
        type="button"
        class="office-button"
        aria-pressed={at.at === "all"}
        onClick={() => go({ at: "all" })}
      >
        <b>All</b> <span class="office-work">{live.hosts.value.length} offices</span>
      </button>
      {live.hosts.value.map((host) => {
        const home = agents.filter((agent) => hostOf(agent) === host);
        const busy = home.filter(({ kind }) => kind === "busy").length;
        const calls = needs.value.filter((need) => need.host === host).length;
        const since = awayHosts.value.get(host);
        return (
          <button
            key={host}
            type="button"
            class={`office-button hue-${live.hues.value.get(host) ?? 0}${since === undefined ? "" : " away"}`}
            aria-pressed={at.at === "host" && at.host === host}
            onClick={() => go({ at: "host", host })}
          >
            <span class="host-dot" aria-hidden="true" />
            <b dir="auto">{host}</b>{" "}
            <span class="office-work">
              {since === undefined ? (
                <>
                  <span aria-hidden="true">▶</span> {busy}/{home.length}
                  <span class="unseen"> at work</span>
                </>
              ) : (
                silenceWord(since)
              )}
            </span>
            {calls > 0 && (
              <span class="office-calls">
                <span aria-hidden="true">!</span> {calls}
                <span class="unseen"> {calls === 1 ? "needs you" : "need you"}</span>
              </span>
            )}
          </button>
        );
      })}
    </section>
  );
}
