// Folds histories, one a line, with the browser's fold, and writes the states, one a line.
import { createInterface } from "node:readline";

const { EMPTY_STATE, foldEvents, stateFromSnapshot } = await import(process.argv[2]);

for await (const line of createInterface({ input: process.stdin })) {
  const events = JSON.parse(line);
  let state = EMPTY_STATE;
  let from = 0;
  for (const to of [Math.floor(events.length / 2), events.length]) {
    state = foldEvents(state, events.slice(from, to));
    from = to;
    // What a page does that comes in the middle.
    state = stateFromSnapshot({ state: JSON.parse(JSON.stringify(state)), cursor: { epoch: "e", id: state.id } });
  }
  const { id, ...folded } = state;
  process.stdout.write(`${JSON.stringify(folded)}\n`);
}
