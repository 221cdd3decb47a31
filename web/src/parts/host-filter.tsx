import type { LiveFleet } from "../fleet/live";

interface HostFilterProps {
  readonly live: LiveFleet;
  /** Empty for all hosts. */
  readonly host: string;
  readonly choose: (host: string) => void;
}

/** Show what is on one host only; nothing to choose where there is but one. */
export function HostFilter({ live, host, choose }: HostFilterProps) {
  const hosts = live.hosts.value;
  return hosts.length === 0 ? null : (
    <label>
      <span class="unseen">Of host</span>
      <select value={host} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">All hosts</option>
        {hosts.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
}
