/** What a view is narrowed to stands in its address, so that a reload and a bookmark keep it. */

import { useSignalEffect } from "@preact/signals";
import type { Route } from "./route";
import type { Router } from "./router";

/** The choices of a view by their names; an empty one stands for all and is left out of the address. */
export type Choices = Readonly<Record<string, string>>;

/** What the address says at the moment; "" for what it does not say. */
export function choicesIn(search: string, names: readonly string[]): Choices {
  const query = new URLSearchParams(search);
  return Object.fromEntries(names.map((name) => [name, query.get(name) ?? ""]));
}

/** The address of a path with choices. */
export function addressOf(path: string, choices: Choices): string {
  const query = new URLSearchParams(Object.entries(choices).filter(([, value]) => value !== "")).toString();
  return query === "" ? path : `${path}?${query}`;
}

/** Keep a view's choices in its address, also while something in the view is opened; `choices` reads their signals. */
export function useAddressQuery(router: Router, view: Route["view"], choices: () => Choices): void {
  useSignalEffect(() => {
    const chosen = choices();
    // Of another view this is the last breath.
    if (router.route.value.view === view) {
      const address = addressOf(location.pathname, chosen);
      if (address !== location.pathname + location.search) {
        router.replace(address);
      }
    }
  });
}
