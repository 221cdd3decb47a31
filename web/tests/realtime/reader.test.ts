import { expect, test, vi } from "vitest";
import type { Cursor, LogEvent, Page, Snapshot } from "../../src/client/protocol";
import { type Library, Reader } from "../../src/realtime/reader";
import * as fold from "../../src/state";
import { event } from "../client/fake-transport";

/** A log that a reader reads, and a note of everything that it was told. */
class Shelf implements Library {
  epoch = "e1";
  events: LogEvent[] = [];
  first = 1;
  pages = 0;
  foldless = false;
  folds = 0;
  away = false;
  readonly told: string[] = [];

  get head(): number {
    return this.events.at(-1)?.id ?? 0;
  }

  add(count: number, type?: string): LogEvent[] {
    const added = Array.from({ length: count }, (_, place) => event(this.head + place + 1, type));
    this.events.push(...added);
    return added;
  }

  async page(since: Cursor): Promise<Page> {
    this.pages += 1;
    if (this.away) {
      throw new Error("away");
    }
    const cursor = { epoch: this.epoch, id: this.head };
    if (since.epoch !== this.epoch) {
      return { events: [], cursor, gap: { from: since.id + 1, to: this.head, reason: "epoch", cursor } };
    }
    const from = Math.max(since.id, this.first - 1);
    const gap =
      from > since.id
        ? { from: since.id + 1, to: from, reason: "trimmed", cursor: { epoch: this.epoch, id: from } }
        : null;
    const events = this.events.filter(({ id }) => id > from).slice(0, 100);
    return { events, cursor: { epoch: this.epoch, id: events.at(-1)?.id ?? from }, gap };
  }

  async snapshot(): Promise<Snapshot> {
    const agents = [{ id: `agent-${this.head}` }];
    return { state: { agents }, cursor: { epoch: this.epoch, id: this.head } };
  }

  async fold() {
    this.folds += 1;
    if (this.foldless) {
      throw new Error("There is no such script.");
    }
    return fold;
  }

  reader(since: Cursor | null = null, folds = false): Reader {
    return new Reader(
      this,
      {
        event: ({ id }) => this.told.push(`${id}`),
        gap: ({ from, to, reason }, snapshot) =>
          this.told.push(`gap ${from}-${to} ${reason} ${snapshot?.cursor.id}`),
        snapshot: ({ cursor }) => this.told.push(`snapshot ${cursor.id}`),
        stateless: () => this.told.push("stateless"),
      },
      since,
      folds,
    );
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => `${from + n}`);

test("a fold that cannot be loaded is asked for a few times, and then done without", async () => {
  vi.useFakeTimers();
  const shelf = new Shelf();
  shelf.foldless = true;
  const reader = shelf.reader(null, true);
  reader.position({ epoch: "e1", id: 0 });
  reader.event("e1", shelf.add(1)[0] as LogEvent);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(shelf.told).toEqual(["1", "stateless"]);
  expect([shelf.folds, reader.state, reader.stateless]).toEqual([8, null, true]);
  reader.event("e1", shelf.add(1)[0] as LogEvent);
  reader.stop();
  shelf.foldless = false;
  reader.position({ epoch: "e1", id: 2 });
  await vi.waitFor(() => expect(reader.state).not.toBeNull());
  expect(shelf.told).toEqual(["1", "stateless", "2", "snapshot 2"]);
  vi.useRealTimers();
});

test("it begins where the link stands", () => {
  const shelf = new Shelf();
  const reader = shelf.reader();
  shelf.add(5);
  reader.position({ epoch: "e1", id: 5 });
  reader.event("e1", event(6));
  expect(shelf.told).toEqual(["6"]);
  expect(shelf.pages).toBe(0);
});

test("what a link did not bring is read from the log", async () => {
  const shelf = new Shelf();
  shelf.add(250);
  const reader = shelf.reader({ epoch: "e1", id: 3 });
  reader.position({ epoch: "e1", id: 250 });
  await vi.waitFor(() => expect(shelf.told).toEqual(range(4, 250)));
});

test("a hole on a live link is filled before anything behind it", async () => {
  const shelf = new Shelf();
  const reader = shelf.reader({ epoch: "e1", id: 0 });
  const [one, , , four] = shelf.add(4);
  reader.event("e1", one as LogEvent);
  reader.event("e1", four as LogEvent);
  const [five] = shelf.add(1);
  reader.event("e1", five as LogEvent);
  await vi.waitFor(() => expect(shelf.told).toEqual(range(1, 5)));
});

test("while the log cannot be read nothing is told, and then everything", async () => {
  vi.useFakeTimers();
  const shelf = new Shelf();
  shelf.away = true;
  const reader = shelf.reader({ epoch: "e1", id: 0 });
  for (const one of shelf.add(20).slice(10)) {
    reader.event("e1", one);
  }
  await vi.advanceTimersByTimeAsync(20_000);
  expect(shelf.told).toEqual([]);
  shelf.away = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(shelf.told).toEqual(range(1, 20));
  vi.useRealTimers();
});

test("events that are gone are told as a gap, with the state after them", async () => {
  const shelf = new Shelf();
  shelf.add(50);
  shelf.first = 41;
  const reader = shelf.reader({ epoch: "e1", id: 10 }, true);
  reader.gap();
  await vi.waitFor(() =>
    expect(shelf.told).toEqual(["gap 11-40 trimmed 50", ...range(41, 50), "snapshot 50"]),
  );
  expect(reader.state?.agents[0]?.id).toBe("agent-50");
});

test("a new life of the log is told as a gap", async () => {
  const shelf = new Shelf();
  shelf.add(7);
  shelf.epoch = "e2";
  const reader = shelf.reader({ epoch: "e1", id: 100 });
  reader.position({ epoch: "e2", id: 7 });
  await vi.waitFor(() => expect(shelf.told).toEqual(["gap 101-7 epoch 7"]));
  reader.event("e2", event(8));
  expect(shelf.told.at(-1)).toBe("8");
});

test("the state is read once, and the events since are folded into it", async () => {
  const shelf = new Shelf();
  shelf.add(3);
  const reader = shelf.reader(null, true);
  reader.position({ epoch: "e1", id: 3 });
  const leads = [4, 5].map((id) => ({ ...event(id, "lead:added"), data: { lead: { id: `L${id}` } } }));
  reader.event("e1", leads[0] as LogEvent);
  await vi.waitFor(() => expect(shelf.told).toContain("snapshot 3"));
  reader.event("e1", leads[1] as LogEvent);
  expect(reader.state?.leads.map(({ id }) => id)).toEqual(["L4", "L5"]);
  expect(reader.state?.id).toBe(5);
});

test("a state that is older than what was read is asked for again", async () => {
  vi.useFakeTimers();
  const shelf = new Shelf();
  shelf.add(2);
  const reader = shelf.reader(null, true);
  reader.position({ epoch: "e1", id: 4 });
  await vi.advanceTimersByTimeAsync(0);
  expect(reader.state).toBeNull();
  shelf.add(2);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(reader.state?.id).toBe(4);
  vi.useRealTimers();
});

test("once stopped it tells nothing any more, until it is told where the log stands", async () => {
  const shelf = new Shelf();
  shelf.add(5);
  const reader = shelf.reader({ epoch: "e1", id: 0 });
  reader.position({ epoch: "e1", id: 5 });
  reader.stop();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(shelf.told).toEqual([]);
  reader.position({ epoch: "e1", id: 5 });
  await vi.waitFor(() => expect(shelf.told).toEqual(range(1, 5)));
});

test("whatever a link drops, repeats or mixes up, each event is told once and in order", async () => {
  let seed = 7;
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  for (let round = 0; round < 40; round += 1) {
    const shelf = new Shelf();
    const reader = shelf.reader({ epoch: "e1", id: 0 });
    for (let step = 0; step < 60; step += 1) {
      const added = shelf.add(Math.floor(random() * 4));
      const kept = added.filter(() => random() > 0.2);
      if (random() < 0.1) {
        kept.reverse();
      }
      for (const one of kept) {
        reader.event("e1", one);
        if (random() < 0.1) {
          reader.event("e1", one);
        }
      }
      if (random() < 0.1) {
        reader.position({ epoch: "e1", id: shelf.head });
      }
      if (random() < 0.5) {
        await Promise.resolve();
      }
    }
    reader.position({ epoch: "e1", id: shelf.head });
    await vi.waitFor(() => expect(shelf.told).toEqual(range(1, shelf.head)), { interval: 1 });
  }
});
