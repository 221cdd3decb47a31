import { useComputed } from "@preact/signals";
import { silenceWord } from "../fleet/host-watch";
import type { LiveFleet } from "../fleet/live";

interface HostBadgeProps {
  readonly live: LiveFleet;
  /** Null where there is nothing to tell apart: then there is no badge. */
  readonly host: string | null;
  /** Since when nobody speaks for it, if that is so. */
  readonly since?: string | undefined;
}

/** Which host something is on, in the colour of that host's office. */
export function HostBadge({ live, host, since }: HostBadgeProps) {
  // Of all hues only its own is followed: a list may show hundreds of badges.
  const hue = useComputed(() => (host === null ? 0 : (live.hues.value.get(host) ?? 0)));
  return host === null ? null : (
    <span class={`host-badge hue-${hue.value}${since === undefined ? "" : " away"}`}>
      <span class="unseen">on </span>
      <bdi>{host}</bdi>
      {since !== undefined && `: ${silenceWord(since)}`}
    </span>
  );
}
