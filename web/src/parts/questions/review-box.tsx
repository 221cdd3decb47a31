import { useEffect, useRef } from "preact/hooks";
import { changedLines, type Part, type Review } from "../../fleet/review";
import { Coverage, IN_SIGHT_MS, spanInSight } from "./coverage";
import { Marked } from "./marked";

interface ReviewBoxProps {
  readonly review: Review;
  /** Called once each part has been on the screen. */
  readonly seen: () => void;
}

const EACH_PERCENT = Array.from({ length: 101 }, (_, percent) => percent / 100);

/** All that a question is about, in a box that scrolls where it is long. */
export function ReviewBox({ review, seen }: ReviewBoxProps) {
  const box = useRef<HTMLElement>(null);
  const coverage = useRef(new Coverage());
  useEffect(() => {
    const shown = box.current;
    if (!shown) {
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const note = () => {
      coverage.current.measure(shown.clientWidth, shown.scrollHeight);
      coverage.current.sight(spanInSight(shown), performance.now());
      if (coverage.current.covers(shown.scrollHeight)) {
        seen();
      }
    };
    const look = () => {
      note();
      // And once more when it has stood for long enough.
      clearTimeout(timer);
      timer = setTimeout(note, IN_SIGHT_MS + 10);
    };
    // When it gets its size or its place, and whenever anything moves it: itself, the page, a part of the page.
    const sizes = new ResizeObserver(look);
    sizes.observe(shown);
    const places = new IntersectionObserver(look, { threshold: EACH_PERCENT });
    places.observe(shown);
    document.addEventListener("scroll", look, { capture: true, passive: true });
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      sizes.disconnect();
      places.disconnect();
      document.removeEventListener("scroll", look, { capture: true });
      document.removeEventListener("visibilitychange", look);
    };
  });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard.
    <section ref={box} class="review" aria-label="What is asked for" tabIndex={0}>
      {review.parts.map((part, place) => (
        <PartView key={`${place}`} part={part} lead={place === 0} />
      ))}
    </section>
  );
}

function PartView({ part, lead }: { part: Part; lead: boolean }) {
  const { kind, text, label } = part;
  if (kind === "warning") {
    return (
      <p class="part-warning">
        <span aria-hidden="true">▲</span>{" "}
        <span>
          <span class="unseen">Warning: </span>
          <Marked text={text} />
        </span>
      </p>
    );
  }
  if (lead) {
    return (
      <p class="asked">
        <Marked text={text} />
      </p>
    );
  }
  return (
    <figure class={`part part-${kind}`}>
      <figcaption>
        {label}
        {kind === "diff" && <Counts diff={text} />}
      </figcaption>
      {kind === "diff" ? (
        <Diff text={text} />
      ) : kind === "text" || kind === "path" ? (
        <p>
          <Marked text={text} />
        </p>
      ) : (
        <pre>
          <Marked text={text} />
        </pre>
      )}
    </figure>
  );
}

function Counts({ diff }: { diff: string }) {
  const { added, removed } = changedLines(diff);
  return (
    <span class="diff-counts">
      <ins>+{added}</ins> <del>−{removed}</del>
    </span>
  );
}

const SIGNS: ReadonlyMap<string, string> = new Map([
  ["+", "added"],
  ["-", "removed"],
]);

function Diff({ text }: { text: string }) {
  return (
    <pre>
      {text.split("\n").map((line, place) => {
        const sign = SIGNS.get(line.slice(0, 1));
        const whole = sign === undefined && !line.startsWith(" ");
        return (
          <span key={`${place}`} class={`diff-line ${sign ?? (whole ? "diff-heading" : "")}`}>
            <span class="diff-sign">{whole ? "" : line.slice(0, 1)}</span>
            <span class="diff-text">
              <Marked text={whole ? line : line.slice(1)} />
              {"\n"}
            </span>
          </span>
        );
      })}
    </pre>
  );
}
