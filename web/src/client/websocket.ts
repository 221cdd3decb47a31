/** The log over the WebSocket. */

import { CLOSE, formatCursor, isData, isLogEvent, parseCursor, parseGap, parseJson } from "./protocol";
import { keyFor } from "./session-key";
import {
  DEFAULT_HEARTBEAT,
  type Failure,
  NO_MESSAGE,
  type Transport,
  type TransportListener,
  type TransportRequest,
  UNREACHABLE,
} from "./transport";

const SUBPROTOCOL = "mission-control";

export function openWebSocket(request: TransportRequest, listener: TransportListener): Transport {
  return new WebSocketTransport(request, listener);
}

class WebSocketTransport implements Transport {
  readonly #socket: WebSocket;
  readonly #listener: TransportListener;
  readonly #heartbeat: number;
  #epoch = "";
  #beat: ReturnType<typeof setInterval> | undefined;
  #delay: number | undefined;
  #done = false;

  constructor(request: TransportRequest, listener: TransportListener) {
    const { endpoint, since, token, key } = request;
    this.#listener = listener;
    this.#heartbeat = request.heartbeatInterval;
    const url = since ? `${endpoint.wsUrl}?since=${encodeURIComponent(formatCursor(since))}` : endpoint.wsUrl;
    this.#socket = new WebSocket(url, proof(endpoint.apiUrl, token, key));
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  probe(): boolean {
    this.#send({ type: "ping" });
    return true;
  }

  close(): void {
    this.#done = true;
    clearInterval(this.#beat);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  #send(message: { readonly type: string }): void {
    if (this.#socket.readyState === 1) {
      this.#socket.send(JSON.stringify(message));
      this.#listener.sent();
    }
  }

  #receive(text: unknown): void {
    const message = parseJson(text);
    if (!isData(message)) {
      this.#fail({ reason: NO_MESSAGE });
      return;
    }
    this.#listener.heard();
    const { type } = message;
    if (isLogEvent(message)) {
      this.#listener.event(this.#epoch, message);
      return;
    }
    const data = isData(message.data) ? message.data : {};
    const cursor = parseCursor(data.cursor);
    if (type === "connected" && cursor) {
      this.#greeted(String(data.clientId), cursor.epoch, data);
    } else if (type === "gap") {
      const gap = parseGap(data);
      if (gap) {
        this.#epoch = gap.cursor.epoch;
        this.#listener.gap(gap);
      }
    } else if (type === "ping") {
      this.#send({ type: "pong" });
      if (cursor) {
        this.#listener.position(cursor);
      }
    } else if (type === "server:draining") {
      this.#delay = 1000 * Math.max(0, Number(data.reconnectAfter) || 0);
    } else if (typeof data.clientCount === "number") {
      this.#listener.clients(data.clientCount);
    }
  }

  #greeted(clientId: string, epoch: string, data: Readonly<Record<string, unknown>>): void {
    const cursor = parseCursor(data.cursor);
    const heartbeat = 1000 * Number(data.heartbeat) || DEFAULT_HEARTBEAT;
    this.#epoch = epoch;
    this.#beat = setInterval(() => this.probe(), Math.min(heartbeat, this.#heartbeat));
    if (cursor) {
      this.#listener.greeted({ cursor, heartbeat, clientId });
    }
  }

  #closed(code: number, reason: string): void {
    if (code === CLOSE.POLICY) {
      this.#fail({ reason: reason || "The server does not accept this page.", final: true });
    } else if (this.#delay !== undefined || code === CLOSE.DRAINING) {
      this.#fail({
        reason: "The server is restarting.",
        ...(this.#delay !== undefined && { delay: this.#delay }),
      });
    } else if (code === CLOSE.TOO_SLOW || code === CLOSE.NO_HEARTBEAT) {
      this.#fail({ reason: `The server closed the connection: ${reason}.`, delay: 0 });
    } else {
      this.#fail({ reason: reason ? `The server closed the connection: ${reason}.` : UNREACHABLE });
    }
  }

  #fail(failure: Failure): void {
    if (!this.#done) {
      this.close();
      this.#listener.failed(failure);
    }
  }
}

/** A browser cannot set headers on a WebSocket: the token, or the key of the session, is offered as a subprotocol. */
function proof(apiUrl: string, token: string | undefined, key: string | undefined): string[] {
  const own = keyFor(apiUrl, key);
  const secret = token ? `bearer.${base64url(token)}` : own && `key.${own}`;
  return secret ? [SUBPROTOCOL, `${SUBPROTOCOL}.${secret}`] : [];
}

/** Without padding. */
function base64url(token: string): string {
  const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(token)));
  return base64.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
