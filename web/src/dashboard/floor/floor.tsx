/** The floor of the office: a canvas that lives, and a list that says the same for those who do not see it. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Office } from "../office";
import { pathOfAgent } from "../route";
import { loadSheets } from "./atlas";
import { Painter, type View } from "./paint";
import { extentOf, Scene } from "./scene";
import "./floor.css";

const MAX_ZOOM = 6;
/** A canvas below this width, in pixels, is that of a phone. */
const SMALL = 700;
/** By so much two fingers must part for the next zoom. */
const PINCH = 1.35;
/** No step is longer, however long the page was away. */
const LONGEST_STEP = 0.1;

export interface FloorProps {
  readonly office: Office;
  /** Somebody was chosen. */
  readonly open: (agentId: string) => void;
}

export function Floor({ office, open }: FloorProps) {
  const { live } = office;
  const canvas = useRef<HTMLCanvasElement>(null);
  const selected = useSignal<string | null>(null);
  const failure = useSignal<string | null>(null);

  useEffect(() => {
    const element = canvas.current;
    if (!element) {
      return undefined;
    }
    const running = new RunningFloor(element, office, selected, open);
    running.start().catch((error: unknown) => {
      failure.value = error instanceof Error ? error.message : String(error);
    });
    return () => running.stop();
  }, [office]);

  const agents = live.fleet.value?.agents ?? [];
  return (
    <section class="floor" aria-label="The office">
      <canvas
        ref={canvas}
        tabIndex={0}
        aria-label="The office; arrow keys choose somebody, Enter opens the sheet"
      />
      {failure.value !== null && <p role="alert">{failure.value}</p>}
      <ul class="unseen" aria-label="Who is in the office">
        {agents.map((agent) => (
          <li key={agent.id}>
            <a href={pathOfAgent(agent.id)}>
              {agent.name}: {agent.status}
            </a>
          </li>
        ))}
      </ul>
      {agents.length === 0 && live.fleet.value !== null && (
        <p class="floor-note">
          Nobody works here yet. An agent appears with its first file: <a href="/agents">what that is</a>.
        </p>
      )}
      <a class="as-list" href="/agents">
        As a list
      </a>
    </section>
  );
}

interface Value<Kind> {
  value: Kind;
}

class RunningFloor {
  readonly #canvas: HTMLCanvasElement;
  readonly #page: Office;
  readonly #selected: Value<string | null>;
  readonly #open: (agentId: string) => void;
  readonly #scene = new Scene();
  readonly #leave = new AbortController();
  #painter: Painter | null = null;
  #view: View = { zoom: 1, x: 0, y: 0 };
  #edition = -1;
  #moved = false;
  #last = 0;

  constructor(
    canvas: HTMLCanvasElement,
    page: Office,
    selected: Value<string | null>,
    open: (agentId: string) => void,
  ) {
    this.#canvas = canvas;
    this.#page = page;
    this.#selected = selected;
    this.#open = open;
  }

  async start(): Promise<void> {
    this.#painter = new Painter(this.#canvas, await loadSheets());
    const { signal } = this.#leave;
    if (signal.aborted) {
      return;
    }
    const stopWatching = this.#page.live.watch((events) => {
      for (const event of events) {
        this.#scene.tell(event);
      }
    });
    const sizes = new ResizeObserver(() => this.#fit());
    sizes.observe(this.#canvas);
    signal.addEventListener("abort", () => {
      stopWatching();
      sizes.disconnect();
    });
    this.#listen(signal);
    this.#fit();
    requestAnimationFrame((now) => this.#frame(now));
  }

  stop(): void {
    this.#leave.abort();
  }

  #frame(now: number): void {
    if (this.#leave.signal.aborted) {
      return;
    }
    const seconds = Math.min(LONGEST_STEP, (now - this.#last) / 1000);
    this.#last = now;
    const fleet = this.#page.live.fleet.peek();
    if (fleet) {
      this.#scene.show(fleet);
    }
    if (this.#scene.edition !== this.#edition) {
      this.#edition = this.#scene.edition;
      this.#moved = false;
      this.#fit();
    }
    this.#page.rewind.step(seconds);
    const frozen = this.#page.live.frozenAt.peek() !== null;
    if (!frozen) {
      this.#scene.step(seconds);
    }
    this.#painter?.paint(this.#scene, this.#view, {
      now: new Date(this.#page.rewind.moment.peek() ?? Date.now()),
      selected: this.#selected.value,
      still: frozen || this.#page.settings.still.peek(),
      dark: this.#page.settings.night.peek(),
    });
    requestAnimationFrame((next) => this.#frame(next));
  }

  /** Show the whole room, as large as a whole number lets it be, unless somebody has moved it. */
  #fit(): void {
    const scale = devicePixelRatio || 1;
    const [width, height] = [this.#canvas.clientWidth * scale, this.#canvas.clientHeight * scale];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    if (!this.#moved) {
      const room = extentOf(this.#scene.plan);
      const fitting = Math.min(width / room.width, height / room.height);
      // On a phone a part that can be seen is worth more than a whole that cannot.
      const least = this.#canvas.clientWidth < SMALL ? Math.ceil(1.25 * scale) : 1;
      const zoom = Math.max(least, Math.min(MAX_ZOOM, Math.floor(fitting + 0.15)));
      this.#view = { zoom, x: (room.width - width / zoom) / 2, y: (room.height - height / zoom) / 2 };
    }
  }

  #zoom(by: number, x: number, y: number): void {
    const { zoom } = this.#view;
    const next = Math.max(1, Math.min(MAX_ZOOM, zoom + by));
    this.#moved = true;
    // What lies under the pointer stays there.
    this.#view = {
      zoom: next,
      x: this.#view.x + x / zoom - x / next,
      y: this.#view.y + y / zoom - y / next,
    };
  }

  #listen(signal: AbortSignal): void {
    const canvas = this.#canvas;
    const scale = () => devicePixelRatio || 1;
    const fingers = new Map<number, PointerEvent>();
    let from: { x: number; y: number; view: View; far: boolean } | null = null;
    let spread = 0;
    const spreadOf = () => {
      const [one, other] = [...fingers.values()];
      return one && other ? Math.hypot(one.offsetX - other.offsetX, one.offsetY - other.offsetY) : 0;
    };
    const begin = (event: PointerEvent) => {
      fingers.set(event.pointerId, event);
      spread = spreadOf();
      from = { x: event.offsetX, y: event.offsetY, view: this.#view, far: fingers.size > 1 };
      canvas.setPointerCapture(event.pointerId);
    };
    const move = (event: PointerEvent) => {
      if (!from) {
        canvas.style.cursor = this.#personAt(event) === null ? "grab" : "pointer";
        return;
      }
      fingers.set(event.pointerId, event);
      if (fingers.size > 1) {
        const now = spreadOf();
        if (now > spread * PINCH || now < spread / PINCH) {
          this.#zoom(now > spread ? 1 : -1, event.offsetX * scale(), event.offsetY * scale());
          spread = now;
        }
        return;
      }
      const [dx, dy] = [event.offsetX - from.x, event.offsetY - from.y];
      from.far ||= Math.hypot(dx, dy) > 5;
      if (from.far) {
        this.#moved = true;
        const { zoom, x, y } = from.view;
        this.#view = { zoom, x: x - (dx * scale()) / zoom, y: y - (dy * scale()) / zoom };
      }
    };
    const end = (event: PointerEvent) => {
      fingers.delete(event.pointerId);
      if (from && !from.far && event.type === "pointerup") {
        const id = this.#personAt(event);
        this.#selected.value = id;
        if (id !== null) {
          this.#open(id);
        }
      }
      from = null;
    };
    canvas.addEventListener("pointerdown", begin, { signal });
    canvas.addEventListener("pointermove", move, { signal });
    canvas.addEventListener("pointerup", end, { signal });
    canvas.addEventListener("pointercancel", end, { signal });
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.#zoom(event.deltaY < 0 ? 1 : -1, event.offsetX * scale(), event.offsetY * scale());
      },
      { signal, passive: false },
    );
    canvas.addEventListener("keydown", (event) => this.#key(event), { signal });
  }

  #key(event: KeyboardEvent): void {
    const ids = this.#scene.agents.map(({ id }) => id);
    const place = ids.indexOf(this.#selected.value ?? "");
    const [x, y] = [this.#canvas.width / 2, this.#canvas.height / 2];
    switch (event.key) {
      case "ArrowRight":
      case "ArrowDown":
        this.#selected.value = ids[(place + 1) % ids.length] ?? null;
        break;
      case "ArrowLeft":
      case "ArrowUp":
        this.#selected.value = ids[(place <= 0 ? ids.length : place) - 1] ?? null;
        break;
      case "Enter":
        if (this.#selected.value !== null) {
          this.#open(this.#selected.value);
        }
        break;
      case "Escape":
        this.#selected.value = null;
        break;
      case "+":
      case "=":
        this.#zoom(1, x, y);
        break;
      case "-":
        this.#zoom(-1, x, y);
        break;
      case "0":
        this.#moved = false;
        this.#fit();
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  #personAt(event: PointerEvent): string | null {
    const scale = devicePixelRatio || 1;
    return (
      this.#painter?.personAt(this.#scene, this.#view, event.offsetX * scale, event.offsetY * scale) ?? null
    );
  }
}
