/** Whether anybody still speaks for each host: the log tells what happens there, but not that nobody looks any more. */

import { computed, effect, signal } from "@preact/signals";
import { type Data, isData } from "../client/protocol";
import { fetchSigned } from "../client/session-key";
import { moment } from "../words/age";
import { textOf } from "../words/agent-words";
import type { LiveFleet } from "./live";

const EVERY_MS = 10_000;
const HOUR = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const NOBODY: ReadonlyMap<string, string> = new Map();

export class HostWatch {
  readonly #told = signal(NOBODY);
  readonly #live: LiveFleet;
  /** Since when nobody speaks for a host, RFC 3339 and empty where that is not known; those who do are not in it. */
  readonly away = computed(() => {
    const watched = this.#live.hosts.value.length > 0 && this.#live.pastAt.value === null;
    return watched ? this.#told.value : NOBODY;
  });

  constructor(live: LiveFleet) {
    this.#live = live;
  }

  /** Ask now and then, while there is more than one host and somebody who can be asked. */
  start(): void {
    const asked = computed(() => this.#live.hosts.value.length > 0 && !this.#live.connection.value.stale);
    effect(() => {
      if (!asked.value) {
        return undefined;
      }
      void this.#ask();
      const timer = setInterval(() => void this.#ask(), EVERY_MS);
      return () => clearInterval(timer);
    });
  }

  async #ask(): Promise<void> {
    try {
      const response = await fetchSigned("/api/system/status");
      const away = response.ok ? awayIn(await response.json()) : null;
      if (away && String([...away]) !== String([...this.#told.peek()])) {
        this.#told.value = away;
      }
    } catch {
      // The connection tells what there is to tell about a server that cannot be reached.
    }
  }
}

/** Those of `cluster.hosts` that are not online; nobody where the server does not speak of hosts. */
export function awayIn(status: unknown): ReadonlyMap<string, string> {
  const cluster: Data = isData(status) && isData(status.cluster) ? status.cluster : {};
  const hosts = Object.entries(isData(cluster.hosts) ? cluster.hosts : {});
  return new Map(
    hosts.flatMap(([host, told]) =>
      isData(told) && told.online === false ? [[host, textOf(told.since) ?? ""] as const] : [],
    ),
  );
}

/** That nobody speaks for a host, and since when. */
export function silenceWord(since: string): string {
  const time = moment(since);
  return time === null ? "no word" : `no word since ${HOUR.format(time)}`;
}
