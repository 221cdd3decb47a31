import { expect, test } from "vitest";
import type { LogEvent } from "../../src/client/protocol";
import { type Archive, Rewind } from "../../src/fleet/rewind";
import { EMPTY_STATE, type FleetState, foldEvents } from "../../src/state/index";

const START = Date.parse("2026-11-23T10:00:00.000Z");

/** A log with a lead at each of these seconds after the start. */
function archive(...seconds: number[]): Archive {
  const events = seconds.map(
    (second, place): LogEvent => ({
      type: "lead:added",
      id: place + 1,
      time: new Date(START + second * 1000).toISOString(),
      source: "test",
      data: { lead: { id: `L${place + 1}` } },
    }),
  );
  return {
    async at(time) {
      const before = events.filter((event) => Date.parse(event.time) <= time);
      const state = foldEvents(EMPTY_STATE, before);
      return { state, cursor: { epoch: "e1", id: before.length }, events: before };
    },
    async after({ id }) {
      return { events: events.slice(id), cursor: { epoch: "e1", id: events.length } };
    },
    async reach() {
      return { from: START, to: START + 1000 * (seconds.at(-1) ?? 0) };
    },
  };
}

function watched(from: Archive) {
  const shown: (FleetState | null)[] = [];
  const told: number[] = [];
  const rewind = new Rewind(from, {
    showPast: (_, state) => shown.push(state),
    playPast: (_, state, events) => {
      shown.push(state);
      told.push(...events.map(({ id }) => id));
    },
    showPresent: () => shown.push(null),
  });
  const leads = () => shown.at(-1)?.leads.map(({ id }) => id);
  return { rewind, shown, told, leads };
}

async function play(rewind: Rewind, seconds: number): Promise<void> {
  for (let step = 0; step < seconds * 20; step += 1) {
    rewind.step(0.05);
    await Promise.resolve();
    await Promise.resolve();
  }
}

test("a moment shows what was then", async () => {
  const { rewind, leads } = watched(archive(1, 5, 9));
  await rewind.seek(START + 6_000);
  expect(leads()).toEqual(["L1", "L2"]);
  expect(rewind.moment.value).toBe(START + 6_000);
});

test("played, it tells what happened, at its speed", async () => {
  const { rewind, told, leads } = watched(archive(1, 5, 9, 30));
  rewind.speed.value = 10;
  await rewind.seek(START);
  rewind.playing.value = true;
  await play(rewind, 0.6);
  expect(told).toEqual([1, 2]);
  expect(leads()).toEqual(["L1", "L2"]);
});

test("a long quiet is passed over", async () => {
  const { rewind, told } = watched(archive(1, 86_400));
  rewind.speed.value = 1;
  await rewind.seek(START);
  rewind.playing.value = true;
  await play(rewind, 3);
  expect(told).toEqual([1, 2]);
});

test("back at the end it is the present again", async () => {
  const { rewind, shown } = watched(archive(1));
  await rewind.seek(Date.now() - 500);
  rewind.playing.value = true;
  await play(rewind, 1);
  expect(rewind.moment.value).toBeNull();
  expect(shown.at(-1)).toBeNull();
});

test("only the moment that was chosen last is shown", async () => {
  const { rewind, leads } = watched(archive(1, 5, 9));
  const first = rewind.seek(START + 2_000);
  await rewind.seek(START + 10_000);
  await first;
  expect(leads()).toEqual(["L1", "L2", "L3"]);
});

test("a past that cannot be read is said, and the present can be had again", async () => {
  const broken: Archive = { ...archive(1), at: () => Promise.reject(new Error("It is gone.")) };
  const { rewind, shown } = watched(broken);
  await rewind.seek(START);
  expect(rewind.failure.value).toBe("It is gone.");
  rewind.live();
  expect(rewind.failure.value).toBeNull();
  expect(shown.at(-1)).toBeNull();
});
