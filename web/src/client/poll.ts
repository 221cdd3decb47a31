/** The log in pages: each request waits for the next event, or comes at an interval where waiting is not possible. */

import { RequestFailed, readPage } from "./http";
import type { Cursor } from "./protocol";
import { type Transport, type TransportListener, type TransportRequest, UNREACHABLE } from "./transport";

const WAIT_SECONDS = 25;
/** How long a request may take beyond what it waits, in milliseconds. */
const PATIENCE = 10_000;

export function openLongPoll(request: TransportRequest, listener: TransportListener): Transport {
  return new PollTransport(request, listener, WAIT_SECONDS);
}

export function openPolling(request: TransportRequest, listener: TransportListener): Transport {
  return new PollTransport(request, listener, 0);
}

class PollTransport implements Transport {
  readonly #request: TransportRequest;
  readonly #listener: TransportListener;
  readonly #wait: number;
  readonly #abort = new AbortController();
  #greeted = false;

  constructor(request: TransportRequest, listener: TransportListener, wait: number) {
    this.#request = request;
    this.#listener = listener;
    this.#wait = wait;
    void this.#run();
  }

  probe(): boolean {
    return false;
  }

  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    let cursor = this.#request.since;
    try {
      while (!this.#abort.signal.aborted) {
        cursor = await this.#turn(cursor);
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        this.close();
        this.#listener.failed(error instanceof RequestFailed ? error.failure : { reason: UNREACHABLE });
      }
    }
  }

  /** Read one page, and say what is in it. */
  async #turn(since: Cursor | null): Promise<Cursor> {
    const { endpoint, token, key, pollingInterval } = this.#request;
    // The first request does not wait: its answer is what says that this transport works.
    const wait = this.#greeted ? this.#wait : 0;
    const patience = AbortSignal.timeout(wait * 1000 + PATIENCE);
    const signal = AbortSignal.any([this.#abort.signal, patience]);
    const page = await readPage({ apiUrl: endpoint.apiUrl, token, key }, since, wait, signal);
    this.#abort.signal.throwIfAborted();
    if (!this.#greeted) {
      this.#greeted = true;
      const heartbeat = Math.max(this.#wait * 1000, this.#wait ? 0 : pollingInterval) + PATIENCE;
      this.#listener.greeted({ cursor: since ?? page.cursor, heartbeat, clientId: null });
    }
    this.#listener.heard();
    if (page.gap) {
      this.#listener.gap(page.gap);
    }
    for (const event of page.events) {
      this.#listener.event(page.cursor.epoch, event);
    }
    this.#listener.position(page.cursor);
    if (page.reconnectAfter !== undefined) {
      throw new RequestFailed({ reason: "The server is restarting.", delay: 1000 * page.reconnectAfter });
    }
    if (!this.#wait && (since === null || since.id === page.cursor.id || page.events.length === 0)) {
      await sleep(pollingInterval, this.#abort.signal);
    }
    return page.cursor;
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
