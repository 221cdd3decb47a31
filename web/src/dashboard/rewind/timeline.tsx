/** The time line: drag it into the past, play it, and come back. */

import { useSignal, useSignalEffect } from "@preact/signals";
import type { LiveFleet } from "../live";
import { type Rewind, SPEEDS } from "./rewind";
import "./timeline.css";

/** While it is dragged, the past is asked for once in so many milliseconds. */
const DRAG_MS = 120;

export interface TimelineProps {
  readonly live: LiveFleet;
  readonly rewind: Rewind;
}

export function Timeline({ live, rewind }: TimelineProps) {
  const dragged = useSignal(0);
  const reach = rewind.reach.value;
  const moment = rewind.moment.value;

  // Once the server has let the page in, and whenever it is back.
  useSignalEffect(() => {
    if (!live.connection.value.stale) {
      void rewind.survey();
    }
  });

  if (!reach) {
    return null;
  }
  const to = Math.max(reach.to, Date.now());
  const shown = moment ?? to;

  function drag(time: number): void {
    rewind.playing.value = false;
    clearTimeout(dragged.value);
    if (time >= to - 1000) {
      rewind.live();
    } else {
      rewind.moment.value = time;
      dragged.value = Number(setTimeout(() => void rewind.seek(time), DRAG_MS));
    }
  }

  function play(): void {
    if (rewind.moment.peek() === null) {
      void rewind.seek(Math.max(reach?.from ?? 0, to - 60_000));
    }
    rewind.playing.value = !rewind.playing.peek();
  }

  return (
    <section class={moment === null ? "timeline" : "timeline past"} aria-label="Time line">
      <button type="button" onClick={play} aria-pressed={rewind.playing.value}>
        <span aria-hidden="true">{rewind.playing.value ? "❚❚" : "▶"}</span>{" "}
        {rewind.playing.value ? "Pause" : "Play"}
      </button>
      <fieldset class="speeds">
        <legend class="unseen">Speed</legend>
        {SPEEDS.map((speed) => (
          <button
            key={speed}
            type="button"
            aria-pressed={rewind.speed.value === speed}
            onClick={() => {
              rewind.speed.value = speed;
            }}
          >
            {speed}×
          </button>
        ))}
      </fieldset>
      <input
        type="range"
        aria-label="Moment"
        aria-valuetext={moment === null ? "now" : stamp(moment)}
        min={reach.from}
        max={to}
        step={1000}
        value={shown}
        onInput={({ currentTarget }) => drag(Number(currentTarget.value))}
      />
      <output>{moment === null ? "now" : stamp(moment)}</output>
      {moment !== null && (
        <button type="button" onClick={() => rewind.live()}>
          Back to live
        </button>
      )}
      {rewind.failure.value !== null && <p role="alert">{rewind.failure.value}</p>}
    </section>
  );
}

function stamp(time: number): string {
  const date = new Date(time);
  const today = new Date().toDateString() === date.toDateString();
  return `${today ? "" : `${date.toLocaleDateString()} `}${date.toLocaleTimeString()}`;
}
