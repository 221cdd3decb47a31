/** Where the page is. Links are plain links; those to views are followed without loading the page again. */

import { effect, signal } from "@preact/signals";
import { parsePath, pathAt, type Route, titleOf } from "./route";

export class Router {
  readonly route = signal<Route>(parsePath(pathAt(location)));

  start(): void {
    if (pathAt(location) !== location.pathname) {
      this.replace(pathAt(location));
    }
    // A change of the hash comes as this event too.
    addEventListener("popstate", () => {
      const path = pathAt(location);
      if (path !== location.pathname) {
        this.replace(path);
      }
      this.route.value = parsePath(path);
    });
    document.addEventListener("click", (event) => this.#follow(event));
    effect(() => {
      document.title = titleOf(this.route.value);
    });
  }

  go(path: string): void {
    if (path !== location.pathname) {
      history.pushState(null, "", path);
      this.route.value = parsePath(path);
    }
  }

  /** Go on under another address of the same view, which is no step to go back by. */
  replace(path: string): void {
    history.replaceState(null, "", path);
  }

  #follow(event: MouseEvent): void {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!link || !plain || event.defaultPrevented || link.target || link.hasAttribute("download")) {
      return;
    }
    const { origin, pathname } = new URL(link.href, location.href);
    if (origin === location.origin && parsePath(pathname).view !== "nowhere") {
      event.preventDefault();
      this.go(pathname);
    }
  }
}
