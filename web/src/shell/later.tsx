/** A view whose code is loaded when it is first shown: the floor does not wait for it. */

import { signal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect } from "preact/hooks";
import type { Office } from "../dashboard/office";

/** What each view is: it shows the office. */
export type View = FunctionComponent<{ office: Office }>;

export function later(load: () => Promise<View>): View {
  const loaded = signal<View | null>(null);
  const trouble = signal(false);

  function begin(): void {
    trouble.value = false;
    load().then(
      (view) => {
        // A component is a function, which a signal's setter does not call.
        loaded.value = view;
      },
      () => {
        trouble.value = true;
      },
    );
  }

  return function Later(props) {
    const Loaded = loaded.value;
    useEffect(() => {
      if (loaded.peek() === null) {
        begin();
      }
    }, []);
    if (Loaded) {
      return <Loaded {...props} />;
    }
    return (
      <section class="panel">
        {trouble.value ? (
          <div class="empty">
            <p>This view could not be loaded.</p>
            <button type="button" onClick={begin}>
              Try again
            </button>
          </div>
        ) : (
          <p class="empty">Loading …</p>
        )}
      </section>
    );
  };
}
