/** A view whose code is loaded when it is first shown: the floor does not wait for it. */

import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";

export function later<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): ComponentType<Props> {
  const loaded = signal<ComponentType<Props> | null>(null);
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

  return function Later(props: Props) {
    const View = loaded.value;
    useEffect(() => {
      if (loaded.peek() === null) {
        begin();
      }
    }, []);
    if (View) {
      return <View {...props} />;
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
