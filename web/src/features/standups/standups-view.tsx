/** Standups: what each agent did since the one before. */

import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { RequestFailed } from "../../client/http";
import type { Office } from "../../dashboard/office";
import { pathOfStandup } from "../../page/route";
import { dayAndTime, moment } from "../../words/age";
import { whole } from "../../words/figures";
import "../../styles/standups.css";
import { headline, holdStandup, type Standup, standupFrom } from "./standup";
import { StandupPage } from "./standup-page";

export function StandupsView({ office }: { office: Office }) {
  const { live, router } = office;
  const records = live.fleet.value?.standups;
  const standups = useMemo(() => records?.map(standupFrom), [records]);
  const route = router.route.value;
  const id = route.view === "standups" ? route.id : null;
  const shown = id === null ? standups?.[0] : standups?.find((one) => one.id === id.toUpperCase());
  return (
    <section class="panel standups" aria-labelledby="standups-title">
      <h2 id="standups-title" class="ribbon">
        Standup {standups && <span class="count">{whole(standups.length)}</span>}
      </h2>
      <Holding office={office} />
      {standups === undefined ? (
        <p class="empty">{live.waitingWord.value}</p>
      ) : standups.length === 0 ? (
        <div class="empty">
          <p>
            No standup was held{live.pastAt.value === null ? " yet" : " before this moment"}. One sums up what
            each agent did since the one before. To have one every day, set a time in the config file:
          </p>
          <pre>{`[standup]\nat = "09:00"`}</pre>
        </div>
      ) : (
        <div class="standups-body">
          {shown ? (
            <StandupPage key={shown.id} live={live} standup={shown} />
          ) : (
            <p class="refusal" role="alert">
              There is no standup {id}: it is unknown, or no longer kept.
            </p>
          )}
          <StandupList standups={standups} shown={shown?.id ?? null} now={live.time.value} />
        </div>
      )}
    </section>
  );
}

/** The button that holds one. */
function Holding({ office: { live, router } }: { office: Office }) {
  const busy = useSignal(false);
  const trouble = useSignal<string | null>(null);
  const past = live.pastAt.value !== null;

  async function hold(): Promise<void> {
    busy.value = true;
    trouble.value = null;
    try {
      // A key of its own: should the browser send it twice, it is one standup.
      router.go(
        pathOfStandup(await holdStandup(`page-${Date.now()}-${Math.random().toString(36).slice(2)}`)),
      );
    } catch (error) {
      trouble.value = error instanceof RequestFailed ? error.failure.reason : "Something went wrong here.";
    }
    busy.value = false;
  }

  return (
    <div class="holding">
      <p>What each agent did since the standup before.</p>
      <button type="button" disabled={busy.value || past} onClick={() => void hold()}>
        {busy.value ? "Holding …" : "Hold standup"}
      </button>
      {trouble.value !== null && (
        <p class="refusal" role="alert">
          The standup was not held. {trouble.value}
        </p>
      )}
    </div>
  );
}

interface StandupListProps {
  readonly standups: readonly Standup[];
  readonly shown: string | null;
  readonly now: number;
}

function StandupList({ standups, shown, now }: StandupListProps) {
  return (
    <nav class="standup-list" aria-label="Standups">
      <ol>
        {standups.map((standup) => {
          const at = moment(standup.to);
          return (
            <li key={standup.id}>
              <a href={pathOfStandup(standup.id)} aria-current={standup.id === shown ? "page" : undefined}>
                <b>{at === null ? standup.id : dayAndTime(at, now)}</b>
                <small>{headline(standup)}</small>
              </a>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
