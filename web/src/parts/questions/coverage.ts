/** What of a box that scrolls has been on the screen: all of it, and not only its end, before anything is approved. */

/** How far from an edge, in pixels, counts as there: positions are fractions where a page is zoomed. */
const SLACK_PX = 4;
/** In steps of how many pixels is looked where a box is covered by something else. */
const STEP_PX = 8;

/** How long a stretch has to be in sight to count: what only flies past, as with the End key, does not. */
export const IN_SIGHT_MS = 150;

/** From where to where, in pixels of the content. */
export type Span = readonly [from: number, to: number];

const NOTHING: Span = [0, 0];

/** The stretches of a content that have been on the screen, in whatever order. */
export class Coverage {
  #spans: readonly Span[] = [];
  #size = "";
  /** What was in sight of late, and since when. */
  #sights: readonly { readonly span: Span; readonly since: number }[] = [];

  /** Forget everything where the content has another size than before: its lines stand elsewhere. */
  measure(width: number, height: number): void {
    const size = `${width} ${height}`;
    if (size !== this.#size) {
      this.#size = size;
      this.#spans = [];
      this.#sights = [];
    }
  }

  /** A stretch is in sight from now on, in milliseconds; null where nothing is. */
  sight(span: Span | null, now: number): void {
    const sights = [...this.#sights, { span: span ?? NOTHING, since: now }];
    const first = sights.findLastIndex(({ since }) => since <= now - IN_SIGHT_MS);
    this.#sights = sights.slice(Math.max(0, first));
    if (first >= 0) {
      const spans = this.#sights.map((one) => one.span);
      this.#add([Math.max(...spans.map(([from]) => from)), Math.min(...spans.map(([, to]) => to))]);
    }
  }

  #add([from, to]: Span): void {
    if (from >= to) {
      return;
    }
    const near = this.#spans.filter(([start, end]) => start <= to + SLACK_PX && end >= from - SLACK_PX);
    const all: Span = [
      Math.min(from, ...near.map(([start]) => start)),
      Math.max(to, ...near.map(([, end]) => end)),
    ];
    this.#spans = [...this.#spans.filter((span) => !near.includes(span)), all];
  }

  /** Whether all has been on the screen, up to a height. */
  covers(height: number): boolean {
    return this.#spans.some(([from, to]) => from <= SLACK_PX && to >= height - SLACK_PX);
  }
}

/** What of a box's content is on the screen now; null where it is out of sight, or something lies beyond its edges. */
export function spanInSight(box: HTMLElement): Span | null {
  const { clientWidth, clientHeight, scrollWidth, scrollTop } = box;
  // What is wider than the box cannot be read without a scroll to the side, which nobody is told of.
  if (document.hidden || clientHeight === 0 || scrollWidth > clientWidth + 1) {
    return null;
  }
  const outer = box.getBoundingClientRect();
  const left = outer.left + box.clientLeft;
  const top = outer.top + box.clientTop;
  const sight = { left: 0, top: 0, right: window.innerWidth, bottom: window.innerHeight };
  for (let parent = box.parentElement; parent; parent = parent.parentElement) {
    if (getComputedStyle(parent).overflow !== "visible" && parent !== document.documentElement) {
      const clip = parent.getBoundingClientRect();
      sight.left = Math.max(sight.left, clip.left);
      sight.top = Math.max(sight.top, clip.top);
      sight.right = Math.min(sight.right, clip.right);
      sight.bottom = Math.min(sight.bottom, clip.bottom);
    }
  }
  if (left < sight.left - SLACK_PX || left + clientWidth > sight.right + SLACK_PX) {
    return null;
  }
  const middle = left + clientWidth / 2;
  const covered = (y: number) => !box.contains(document.elementFromPoint(middle, y));
  let from = Math.max(top, sight.top);
  let to = Math.min(top + clientHeight, sight.bottom);
  // A bar at the edge of the window may lie over it.
  while (from < to && covered(from + 1)) {
    from += STEP_PX;
  }
  while (from < to && covered(to - 1)) {
    to -= STEP_PX;
  }
  return from < to ? [from - top + scrollTop, to - top + scrollTop] : null;
}
