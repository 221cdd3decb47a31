import { useEffect, useRef } from "preact/hooks";
import { Marked } from "./marked";
import { changedLines, type Part, type Review } from "./review";

interface ReviewBoxProps {
  readonly review: Review;
  /** Called once the end has been on the screen. */
  readonly seen: () => void;
}

/** How far from its end, in pixels, a box counts as scrolled to the end: positions are fractions where a page is zoomed. */
const AT_END_PX = 4;

/** All that a question is about, in a box that scrolls where it is long. */
export function ReviewBox({ review, seen }: ReviewBoxProps) {
  const box = useRef<HTMLElement>(null);
  const look = () => {
    const shown = box.current;
    if (
      shown &&
      shown.clientHeight > 0 &&
      shown.scrollTop + shown.clientHeight >= shown.scrollHeight - AT_END_PX
    ) {
      seen();
    }
  };
  useEffect(() => {
    const shown = box.current;
    if (!shown) {
      return;
    }
    // When it gets its height, and whenever the window changes that.
    const sizes = new ResizeObserver(look);
    sizes.observe(shown);
    return () => sizes.disconnect();
  });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard.
    <section ref={box} class="review" aria-label="What is asked for" tabIndex={0} onScroll={look}>
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
      <p class="asked" dir="auto">
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
        <p dir={kind === "path" ? "ltr" : "auto"}>
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
