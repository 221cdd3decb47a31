/** The floor while it is looked at: frame by frame, moved about and zoomed. */

import type { Signal } from "@preact/signals";
import type { Office } from "../office";
import { loadSheets } from "./atlas";
import { type GestureListener, listenTo, type Place } from "./gestures";
import { Painter, type View } from "./paint";
import { extentOf, Scene } from "./scene";

const MAX_ZOOM = 6;
/** A canvas below this width, in pixels, is that of a phone. */
const SMALL = 700;
/** No step is longer, in seconds, however long the page was away. */
const LONGEST_STEP = 0.1;
/** Above somebody there must be so much room for a name tag, in pixels of the page. */
const TAG_ROOM = 150;

/** Somebody who is pointed at, and where on the floor, in pixels of the page. */
export interface Pointed {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  /** Whether there is more room below. */
  readonly below: boolean;
}

export class RunningFloor implements GestureListener {
  readonly #canvas: HTMLCanvasElement;
  readonly #office: Office;
  readonly #pointed: Signal<Pointed | null>;
  readonly #open: (agentId: string) => void;
  readonly #scene = new Scene();
  readonly #leave = new AbortController();
  #painter: Painter | null = null;
  #view: View = { zoom: 1, x: 0, y: 0 };
  #gripped: View = this.#view;
  /** Chosen by keys, or under the pointer. */
  #selected: string | null = null;
  #edition = -1;
  #cuts = 0;
  #moved = false;
  #last = 0;

  constructor(
    canvas: HTMLCanvasElement,
    office: Office,
    pointed: Signal<Pointed | null>,
    open: (agentId: string) => void,
  ) {
    this.#canvas = canvas;
    this.#office = office;
    this.#pointed = pointed;
    this.#open = open;
  }

  async start(): Promise<void> {
    this.#painter = new Painter(this.#canvas, await loadSheets());
    const { signal } = this.#leave;
    if (signal.aborted) {
      return;
    }
    const stopWatching = this.#office.live.watch((events) => {
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
    listenTo(this.#canvas, this, signal);
    this.#fit();
    requestAnimationFrame((now) => this.#frame(now));
  }

  stop(): void {
    this.#leave.abort();
  }

  /** Come closer, or go farther, around a place; else around the middle. */
  zoom(steps: number, around: Place = { x: this.#canvas.width / 2, y: this.#canvas.height / 2 }): void {
    const { zoom, x, y } = this.#view;
    const next = Math.max(1, Math.min(MAX_ZOOM, zoom + steps));
    this.#moved = true;
    // What lies under the pointer stays there.
    this.#view = {
      zoom: next,
      x: x + around.x / zoom - around.x / next,
      y: y + around.y / zoom - around.y / next,
    };
    this.#gripped = this.#view;
  }

  /** Show the whole room. */
  showAll(): void {
    this.#moved = false;
    this.#fit();
  }

  point(place: Place | null): boolean {
    this.#selected = place && this.#personAt(place);
    return this.#selected !== null;
  }

  choose(place: Place): void {
    this.#selected = this.#personAt(place);
    if (this.#selected !== null) {
      this.#open(this.#selected);
    }
  }

  grip(): void {
    this.#gripped = this.#view;
  }

  drag(by: Place): void {
    this.#moved = true;
    const { zoom, x, y } = this.#gripped;
    this.#view = { zoom, x: x - by.x / zoom, y: y - by.y / zoom };
  }

  key(key: string): boolean {
    const ids = this.#scene.agents.map(({ id }) => id);
    const place = ids.indexOf(this.#selected ?? "");
    switch (key) {
      case "ArrowRight":
      case "ArrowDown":
        this.#selected = ids[(place + 1) % ids.length] ?? null;
        break;
      case "ArrowLeft":
      case "ArrowUp":
        this.#selected = ids[(place <= 0 ? ids.length : place) - 1] ?? null;
        break;
      case "Enter":
        if (this.#selected !== null) {
          this.#open(this.#selected);
        }
        break;
      case "Escape":
        this.#selected = null;
        break;
      case "+":
      case "=":
        this.zoom(1);
        break;
      case "-":
        this.zoom(-1);
        break;
      case "0":
        this.showAll();
        break;
      default:
        return false;
    }
    return true;
  }

  #frame(now: number): void {
    if (this.#leave.signal.aborted) {
      return;
    }
    const seconds = Math.min(LONGEST_STEP, (now - this.#last) / 1000);
    this.#last = now;
    const { live, rewind, settings, overspending } = this.#office;
    const fleet = live.fleet.peek();
    if (live.cuts.peek() !== this.#cuts) {
      this.#cuts = live.cuts.peek();
      this.#scene.cut();
    }
    if (fleet) {
      this.#scene.overspending = overspending.peek();
      this.#scene.show(fleet);
    }
    if (this.#scene.edition !== this.#edition) {
      this.#edition = this.#scene.edition;
      this.#moved = false;
      this.#fit();
    }
    const frozen = live.frozenAt.peek() !== null;
    const still = settings.still.peek();
    if (!frozen) {
      this.#scene.step(seconds, still);
      this.#letFly();
    }
    this.#painter?.paint(this.#scene, this.#view, {
      now: new Date(rewind.moment.peek() ?? Date.now()),
      selected: this.#selected,
      still: frozen || still,
      dark: settings.night.peek(),
      unlit: fleet === null,
    });
    this.#point();
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
      this.#gripped = this.#view;
    }
  }

  /** What leaves the floor flies to a counter, or, where it cannot, rises where it was made. */
  #letFly(): void {
    const { left, top } = this.#canvas.getBoundingClientRect();
    for (const { x, y, text, to } of this.#scene.takeDepartures()) {
      const [px, py] = this.#onPage(x, y);
      if (!this.#office.flights.launch({ x: left + px, y: top + py, text, to })) {
        this.#scene.effects.figure(x, y, text, to === "purse" ? "#9be073" : "#fff6c9");
      }
    }
  }

  /** Keep the name tag beside whoever is pointed at. */
  #point(): void {
    const person = this.#selected === null ? undefined : this.#scene.people.get(this.#selected);
    const before = this.#pointed.peek();
    if (!person) {
      if (before) {
        this.#pointed.value = null;
      }
      return;
    }
    const [headX, headY] = this.#onPage(...this.#scene.headOf(person));
    const below = headY < TAG_ROOM;
    const [x, y] = [Math.round(headX), Math.round(below ? headY + 50 : headY - 12)];
    if (!before || before.id !== person.id || before.x !== x || before.y !== y) {
      this.#pointed.value = { id: person.id, x, y, below };
    }
  }

  /** Where a pixel of the office lies on the canvas, in pixels of the page. */
  #onPage(x: number, y: number): readonly [number, number] {
    const { origin } = extentOf(this.#scene.plan);
    const { zoom, x: left, y: top } = this.#view;
    const scale = devicePixelRatio || 1;
    return [((x + origin[0] - left) * zoom) / scale, ((y + origin[1] - top) * zoom) / scale];
  }

  #personAt({ x, y }: Place): string | null {
    return this.#painter?.personAt(this.#scene, this.#view, x, y) ?? null;
  }
}
