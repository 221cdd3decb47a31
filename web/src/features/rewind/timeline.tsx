/** The time line: drag it into the past, play it, and come back. */

import { useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { LiveFleet } from "../../fleet/live";
import { type Rewind, SPEEDS } from "../../fleet/rewind";
import type { Alert } from "../../state";
import { clock, dayAndTime, moment as momentIn } from "../../words/age";
import "./timeline.css";

/** While it is dragged, the past is asked for once in so many milliseconds. */
const DRAG_MS = 120;
/** Played from the present it begins so many milliseconds earlier. */
const LEAP_MS = 60_000;
/** No step is longer, in seconds, however long the page was away. */
const LONGEST_STEP = 0.1;

export interface TimelineProps {
  readonly live: LiveFleet;
  readonly rewind: Rewind;
}

export function Timeline({ live, rewind }: TimelineProps) {
  const dragged = useSignal(0);
  const line = useRef<HTMLInputElement>(null);
  const reach = rewind.reach.value;
  const moment = rewind.moment.value;

  // Once the server has let the page in, and whenever it is back.
  useSignalEffect(() => {
    if (!live.connection.value.stale) {
      void rewind.survey();
    }
  });
  useSignalEffect(() => (rewind.playing.value ? eachFrame((seconds) => rewind.step(seconds)) : undefined));

  // The server's clock may be ahead of this one.
  const to = Math.max(reach?.to ?? 0, live.time.value, live.lastEventAt.value ?? 0);
  const shown = moment ?? to;

  // Set once more when the end is known: a browser cuts a value that is set before off at the end that was.
  useLayoutEffect(() => {
    if (line.current) {
      line.current.value = String(shown);
    }
  }, [shown, to]);

  if (!reach) {
    return null;
  }
  // A line of no length would show the present at its beginning.
  const from = Math.min(reach.from, to - 1000);

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
      void rewind.seek(Math.max(reach?.from ?? 0, to - LEAP_MS));
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
      <span class="from">{dayAndTime(reach.from, to)}</span>
      <div class="line">
        <Marks alerts={live.fleet.value?.system.alerts ?? []} from={from} to={to} />
        <input
          ref={line}
          type="range"
          aria-label="Moment"
          aria-valuetext={moment === null ? "now" : stamp(moment, to)}
          min={from}
          max={to}
          step="any"
          value={shown}
          style={{ "--share": `${((shown - from) / (to - from)) * 100}%` }}
          onInput={({ currentTarget }) => drag(Number(currentTarget.value))}
          onKeyDown={(event) => {
            const seconds = KEYS.get(event.key);
            if (seconds !== undefined) {
              event.preventDefault();
              drag(Math.min(to, Math.max(from, (rewind.moment.peek() ?? to) + seconds * 1000)));
            }
          }}
        />
      </div>
      <output aria-live="off">{moment === null ? "now" : stamp(moment, to)}</output>
      {moment !== null && (
        <button
          type="button"
          onClick={() => {
            rewind.live();
            line.current?.focus();
          }}
        >
          Back to live
        </button>
      )}
      {rewind.failure.value !== null && <p role="alert">{rewind.failure.value}</p>}
    </section>
  );
}

/** By how many seconds a key moves the moment. */
const KEYS: ReadonlyMap<string, number> = new Map([
  ["ArrowLeft", -10],
  ["ArrowDown", -10],
  ["ArrowRight", 10],
  ["ArrowUp", 10],
  ["PageDown", -600],
  ["PageUp", 600],
]);

/** Where on the line the alerts lie: often what somebody is looking for. */
function Marks({ alerts, from, to }: { alerts: readonly Alert[]; from: number; to: number }) {
  const marks = alerts.flatMap(({ id, level, timestamp }) => {
    const at = momentIn(timestamp);
    return at === null || at < from || level === "info"
      ? []
      : [{ id, level, share: (at - from) / (to - from || 1) }];
  });
  return (
    <svg class="marks" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      {marks.map(({ id, level, share }) => (
        <line key={id} class={level} x1={share} x2={share} y1="0" y2="1" />
      ))}
    </svg>
  );
}

/** Call a function with the seconds since the last frame; returns what ends that. */
function eachFrame(step: (seconds: number) => void): () => void {
  let last = performance.now();
  let frame = requestAnimationFrame(function next(now) {
    step(Math.min(LONGEST_STEP, Math.max(0, now - last) / 1000));
    last = now;
    frame = requestAnimationFrame(next);
  });
  return () => cancelAnimationFrame(frame);
}

function stamp(time: number, now: number): string {
  const seconds = clock(time);
  const [day, minute] = dayAndTime(time, now).split(/ (?=\S+$)/);
  return minute === undefined ? seconds : `${day} ${seconds}`;
}
