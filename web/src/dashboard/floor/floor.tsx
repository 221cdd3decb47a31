/** The floor of the office: a canvas that lives, and a list that says the same for those who do not see it. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Office } from "../office";
import { pathOfAgent } from "../route";
import { NameTag } from "./name-tag";
import { type Pointed, RunningFloor } from "./running-floor";
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
  const failure = useSignal<string | null>(null);

  useEffect(() => {
    const element = canvas.current;
    if (!element) {
      return undefined;
    }
    const floor = new RunningFloor(element, office, pointed, open);
    running.current = floor;
    floor.start().catch((error: unknown) => {
      failure.value = error instanceof Error ? error.message : String(error);
    });
    return () => floor.stop();
  }, [office]);

  const agents = live.fleet.value?.agents ?? [];
  return (
    <section class="floor" aria-label="The office">
      <canvas
        ref={canvas}
        tabIndex={0}
        aria-label="The office; arrow keys choose somebody, Enter opens the sheet"
      />
      {failure.value !== null && <p role="alert">{failure.value}</p>}
      <ul class="unseen" aria-label="Who is in the office">
        {agents.map((agent) => (
          <li key={agent.id}>
            <a href={pathOfAgent(agent.id)}>
              <bdi>{agent.name}</bdi>: {agent.status}
            </a>
          </li>
        ))}
      </ul>
      {agents.length === 0 && live.fleet.value !== null && (
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
        <button type="button" aria-label="The whole office" onClick={() => running.current?.showAll()}>
          ⌂
        </button>
        <a href="/agents">As a list</a>
      </div>
    </section>
  );
}
