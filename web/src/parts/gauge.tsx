/** How full something is, in segments: the words next to it say the same. */

import { type Level, levelOf } from "../words/level";

const SEGMENTS = 10;

export function Gauge({ percent, label, level }: { percent: number; label: string; level?: Level }) {
  const shown = Math.max(0, Math.min(100, percent));
  const full = shown > 0 ? Math.max(1, Math.round((shown / 100) * SEGMENTS)) : 0;
  return (
    <span
      class={`gauge ${level ?? levelOf(percent)}`}
      role="img"
      aria-label={`${label}: ${Math.round(percent)} percent`}
    >
      {Array.from({ length: SEGMENTS }, (_, segment) => (
        <i key={segment} class={segment < full ? "full" : ""} />
      ))}
    </span>
  );
}
