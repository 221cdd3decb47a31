import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** An element that is scrolled to when it appears out of sight: on a small screen a sheet stands above its list. */
export function useInSight<T extends HTMLElement>(): RefObject<T | null> {
  const ref = useRef<T | null>(null);
  useEffect(() => {
    const element = ref.current;
    if (element !== null) {
      const { top } = element.getBoundingClientRect();
      if (top < 0 || top > window.innerHeight / 2) {
        element.scrollIntoView({ block: "start" });
      }
    }
  }, []);
  return ref;
}
