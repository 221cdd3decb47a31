/**
 * The log as Server-Sent Events (HTML standard, section 9.2), read with `fetch`: an `EventSource` hides why it was
 * refused, and the heartbeats that show that a quiet stream still lives.
 */

import { RequestFailed, request } from "./http";
import { formatCursor, isData, isLogEvent, parseCursor, parseGap, parseJson } from "./protocol";
import {
  DEFAULT_HEARTBEAT,
  type Failure,
  NO_MESSAGE,
  type Transport,
  type TransportListener,
  type TransportRequest,
  UNREACHABLE,
} from "./transport";

export function openEventStream(request: TransportRequest, listener: TransportListener): Transport {
  return new EventStreamTransport(request, listener);
}

class EventStreamTransport implements Transport {
  readonly #listener: TransportListener;
  readonly #abort = new AbortController();
  #greeted = false;
  #delay: number | undefined;

  constructor(request: TransportRequest, listener: TransportListener) {
    this.#listener = listener;
    void this.#run(request);
  }

  probe(): boolean {
    return false;
  }

  close(): void {
    this.#abort.abort();
  }

  async #run({ endpoint, since, token, key }: TransportRequest): Promise<void> {
    const query = since ? `?since=${encodeURIComponent(formatCursor(since))}` : "";
    let failure: Failure = { reason: UNREACHABLE };
    try {
      const { body } = await request(
        `/api/events/stream${query}`,
        { apiUrl: endpoint.apiUrl, token, key },
        { signal: this.#abort.signal, headers: { accept: "text/event-stream" } },
      );
      if (body) {
        await this.#read(body);
      }
    } catch (error) {
      failure = error instanceof RequestFailed ? error.failure : failure;
    }
    if (!this.#abort.signal.aborted) {
      this.close();
      this.#listener.failed(
        this.#delay === undefined ? failure : { reason: "The server is restarting.", delay: this.#delay },
      );
    }
  }

  async #read(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#abort.signal.aborted) {
        return;
      }
      if (this.#greeted) {
        this.#listener.heard();
      }
      const blocks = (text + value).split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        this.#receive(block);
      }
    }
  }

  #receive(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      const colon = line.indexOf(":");
      fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart());
    }
    const cursor = parseCursor(fields.get("id"));
    const text = fields.get("data");
    if (text === undefined) {
      if (cursor) {
        this.#listener.position(cursor);
      }
      return;
    }
    const data = parseJson(text);
    const name = fields.get("event");
    if (name === undefined && cursor && isLogEvent(data)) {
      this.#listener.event(cursor.epoch, data);
    } else if (!isData(data)) {
      throw new RequestFailed({ reason: NO_MESSAGE });
    } else if (name === "connected") {
      this.#greet(data);
    } else if (name === "gap") {
      const gap = parseGap(data);
      if (gap) {
        this.#listener.gap(gap);
      }
    } else if (name === "server:draining") {
      this.#delay = 1000 * Math.max(0, Number(data.reconnectAfter) || 0);
    } else if (typeof data.clientCount === "number") {
      this.#listener.clients(data.clientCount);
    }
  }

  #greet(data: Readonly<Record<string, unknown>>): void {
    const cursor = parseCursor(data.cursor);
    if (cursor) {
      this.#greeted = true;
      const heartbeat = 1000 * Number(data.heartbeat) || DEFAULT_HEARTBEAT;
      this.#listener.greeted({ cursor, heartbeat, clientId: String(data.clientId) });
    }
  }
}
