/** The floor of the office: a canvas that lives, and a list that says the same for those who do not see it. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { silenceWord } from "../../fleet/host-watch";
import { hostOf } from "../../fleet/hosts";
import { pathOfAgent } from "../../page/route";
import type { Agent } from "../../state";
import { NameTag } from "./name-tag";
import { OfficeSwitcher } from "./office-switcher";
import { type Look, type Pointed, RunningFloor } from "./running-floor";
import "./floor.css";

export interface FloorProps {
  readonly office: Office;
  /** Somebody was chosen. */
  readonly open: (agentId: string) => void;
}

export function Floor({ office, open }: FloorProps) {
  const { live } = office;
  const canvas = useRef<HTMLCanvasElement>(null);
  const running = useRef<RunningFloor | null>(null);
  const pointed = useSignal<Pointed | null>(null);
  const look = useSignal<Look>({ at: "all" });
  const failure = useSignal<string | null>(null);

  useEffect(() => {
    const element = canvas.current;
    if (!element) {
      return undefined;
    }
    const floor = new RunningFloor(element, office, pointed, look, open);
    running.current = floor;
    floor.start().catch((error: unknown) => {
      failure.value = error instanceof Error ? error.message : String(error);
    });
    return () => floor.stop();
  }, [office]);

  const fleet = live.fleet.value;
  const hosts = live.hosts.value;
  return (
    <>
      {hosts.length > 0 && (
        <OfficeSwitcher office={office} look={look} go={(to) => running.current?.lookAt(to)} />
      )}
      <section class="floor" aria-label="The office">
        <canvas
          ref={canvas}
          tabIndex={0}
          aria-label="The office; arrow keys choose somebody, Enter opens the sheet"
        />
        {failure.value !== null && <p role="alert">{failure.value}</p>}
        <Roll office={office} />
        {fleet?.agents.length === 0 && (
          <p class="floor-note">
            Nobody works here yet. An agent appears with its first file: <a href="/agents">what that is</a>.
          </p>
        )}
        <NameTag office={office} pointed={pointed} />
        <div class="floor-tools">
          <button type="button" aria-label="Closer" onClick={() => running.current?.zoom(1)}>
            +
          </button>
          <button type="button" aria-label="Farther" onClick={() => running.current?.zoom(-1)}>
            −
          </button>
          <button
            type="button"
            aria-label={hosts.length > 0 ? "The whole campus" : "The whole office"}
            onClick={() => running.current?.showAll()}
          >
            ⌂
          </button>
          <a href="/agents">As a list</a>
        </div>
      </section>
    </>
  );
}

/** What the canvas shows, for those who do not see it: one list, or one for each host. */
function Roll({ office: { live, awayHosts } }: { office: Office }) {
  const agents = live.fleet.value?.agents ?? [];
  const hosts = live.hosts.value;
  if (hosts.length === 0) {
    return <RollList label="Who is in the office" agents={agents} />;
  }
  const elsewhere = agents.filter((agent) => hostOf(agent) === null);
  return (
    <div class="unseen">
      {hosts.map((host) => {
        const since = awayHosts.value.get(host);
        return (
          <section key={host} aria-label={`Office of ${host}`}>
            {since !== undefined && <p>There is {silenceWord(since)}: this is how it was then.</p>}
            <RollList
              label={`Who is in the office of ${host}`}
              agents={agents.filter((agent) => hostOf(agent) === host)}
            />
          </section>
        );
      })}
      {elsewhere.length > 0 && <RollList label="Who is elsewhere" agents={elsewhere} />}
    </div>
  );
}

function RollList({ label, agents }: { label: string; agents: readonly Agent[] }) {
  return (
    <ul class="unseen" aria-label={label}>
      {agents.map((agent) => (
        <li key={agent.id}>
          <a href={pathOfAgent(agent.id)}>
            <bdi>{agent.name}</bdi>: {agent.status}
          </a>
        </li>
      ))}
    </ul>
  );
}
