/** The SharedWorker that has the link of all pages of an origin; it ends with the last of them. */

import type { LinkOptions } from "./link";
import { Leader, optionsIn } from "./tabs";

const options = optionsIn(self.name);

if (options) {
  // A page may lead already, where it could not reach this worker: then it goes on until it ends.
  if ("locks" in navigator) {
    void leadInTurn(options);
  } else {
    new Leader(options, null).open();
  }
}

async function leadInTurn(options: LinkOptions): Promise<never> {
  for (;;) {
    let leader: Leader | null = null;
    await navigator.locks
      .request(self.name, () => {
        leader = new Leader(options, null);
        leader.open();
        return new Promise<never>(() => {});
      })
      // A page has taken the lock, because this worker did not answer.
      .catch(() => leader?.close());
  }
}
