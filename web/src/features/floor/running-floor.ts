/** The floor while it is looked at: frame by frame, moved about and zoomed. */

import type { Signal } from "@preact/signals";
import type { Office } from "../../dashboard/office";
import { loadSheets } from "../../office/atlas";
import { type Box, Campus } from "../../office/campus";
import { Painter } from "../../office/draw/painter";
import type { View } from "../../office/draw/view";
import { type GestureListener, listenTo, type Place } from "./gestures";

const MAX_ZOOM = 6;
/** Where so much fits, a room is shown at twice its size: at its own size nobody could be told from another. */
const ENOUGH = 1.32;
/** How what is too large for whole pixels is come closer to. */
const SMALL_ZOOMS = [0.25, 0.35, 0.5, 0.75] as const;
/** The way to another office takes so many seconds. */
const WAY_SECONDS = 0.45;
/** So near to the edge, in pixels of the page, nobody who is chosen stands. */
const EDGE = 60;
/** A sign is as high as this, in pixels of the page, however far away its office is. */
const SIGN_HEIGHT = 32;
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

/** Which office is looked at: that of a host, all of them, or whatever somebody has moved to. */
export type Look = { readonly at: "all" | "elsewhere" } | { readonly at: "host"; readonly host: string };

/** From where to where the view is on its way, and how far it has come, from 0 to 1. */
interface Way {
  readonly from: View;
  readonly to: View;
  readonly share: number;
}

export class RunningFloor implements GestureListener {
  readonly #canvas: HTMLCanvasElement;
  readonly #office: Office;
  readonly #pointed: Signal<Pointed | null>;
  readonly #look: Signal<Look>;
  readonly #open: (agentId: string) => void;
  readonly #campus = new Campus();
  readonly #leave = new AbortController();
  #painter: Painter | null = null;
  #view: View = { zoom: 1, x: 0, y: 0 };
  #gripped: View = this.#view;
  /** Chosen by keys, or under the pointer. */
  #selected: string | null = null;
  #edition = -1;
  #cuts = 0;
  #way: Way | null = null;
  #last = 0;

  constructor(
    canvas: HTMLCanvasElement,
    office: Office,
    pointed: Signal<Pointed | null>,
    look: Signal<Look>,
    open: (agentId: string) => void,
  ) {
    this.#canvas = canvas;
    this.#office = office;
    this.#pointed = pointed;
    this.#look = look;
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
        this.#campus.tell(event);
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
    const { zoom, x, y } = this.#way?.to ?? this.#view;
    const next = this.#zoomFrom(zoom, steps);
    this.#leaveOffice();
    // What lies under the pointer stays there.
    this.#view = {
      zoom: next,
      x: x + around.x / zoom - around.x / next,
      y: y + around.y / zoom - around.y / next,
    };
    this.#gripped = this.#view;
  }

  /** Show everything: the whole room, or the whole campus. */
  showAll(): void {
    this.lookAt({ at: "all" });
  }

  /** Go and look at an office. */
  lookAt(look: Look): void {
    this.#look.value = look;
    const from = this.#view;
    this.#fit();
    if (this.#campus.grounds && !this.#office.settings.still.peek()) {
      this.#way = { from, to: this.#view, share: 0 };
      this.#view = from;
    }
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
    this.#way = null;
    this.#gripped = this.#view;
  }

  drag(by: Place): void {
    this.#leaveOffice();
    const { zoom, x, y } = this.#gripped;
    this.#view = { zoom, x: x - by.x / zoom, y: y - by.y / zoom };
  }

  key(key: string): boolean {
    const look = this.#look.peek();
    const agents = look.at === "host" ? this.#campus.agentsOf(look.host) : this.#campus.agents;
    const ids = agents.map(({ id }) => id);
    const place = ids.indexOf(this.#selected ?? "");
    switch (key) {
      case "ArrowRight":
      case "ArrowDown":
        this.#select(ids[(place + 1) % ids.length] ?? null);
        break;
      case "ArrowLeft":
      case "ArrowUp":
        this.#select(ids[(place <= 0 ? ids.length : place) - 1] ?? null);
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
    const { live, rewind, settings, overspending, awayHosts } = this.#office;
    const fleet = live.fleet.peek();
    if (live.cuts.peek() !== this.#cuts) {
      this.#cuts = live.cuts.peek();
      this.#campus.cut();
    }
    if (fleet) {
      this.#campus.show(fleet);
      this.#campus.overspending = overspending.peek();
      this.#campus.away = awayHosts.peek();
    }
    if (this.#campus.edition !== this.#edition) {
      this.#edition = this.#campus.edition;
      this.#way = null;
      this.#look.value = this.#lookThatIsLeft();
      this.#fit();
    }
    this.#walk(seconds);
    const frozen = live.frozenAt.peek() !== null;
    const still = settings.still.peek();
    if (!frozen) {
      this.#campus.step(seconds, still);
      this.#letFly();
    }
    this.#painter?.paint(this.#campus, this.#view, {
      now: new Date(rewind.moment.peek() ?? Date.now()),
      selected: this.#selected,
      still: frozen || still,
      dark: settings.night.peek(),
      unlit: fleet === null,
    });
    this.#point();
    requestAnimationFrame((next) => this.#frame(next));
  }

  /** Show what is looked at, as large as a whole number lets it be, unless somebody has moved it. */
  #fit(): void {
    const scale = devicePixelRatio || 1;
    const [width, height] = [this.#canvas.clientWidth * scale, this.#canvas.clientHeight * scale];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    const look = this.#look.peek();
    if (look.at !== "elsewhere") {
      const box = this.#campus.boxOf(look.at === "host" ? look.host : null);
      const zoom = this.#zoomFor(box, look.at === "all");
      this.#way = null;
      const above = this.#campus.grounds ? SIGN_HEIGHT * scale : 0;
      this.#view = {
        zoom,
        x: box.x + (box.width - width / zoom) / 2,
        y: box.y + (box.height - (height + above) / zoom) / 2,
      };
      this.#gripped = this.#view;
    }
  }

  /** How large a part can be shown: as whole pixels where it fits so. */
  #zoomFor(box: Box, whole: boolean): number {
    const scale = devicePixelRatio || 1;
    const several = this.#campus.grounds !== null;
    const fitting = this.#zoomThatFits(box);
    // Whoever sees all of a campus is to see all of it; of one room a corner may be cut off.
    const fair =
      whole && several ? fitting : Math.max(fitting + 0.15, fitting < ENOUGH * scale ? 0 : 2 * scale);
    const rounded = Math.min(MAX_ZOOM, Math.floor(fair));
    // On a phone a part that can be seen is worth more than a whole that cannot.
    const small = this.#canvas.clientWidth < SMALL && !(whole && several);
    const least = small
      ? Math.ceil(1.25 * scale)
      : whole
        ? Math.max(SMALL_ZOOMS[0], Math.min(1, fitting))
        : 1;
    return Math.max(least, rounded);
  }

  #zoomThatFits({ width, height }: Box): number {
    const above = this.#campus.grounds ? SIGN_HEIGHT * (devicePixelRatio || 1) : 0;
    return Math.min(this.#canvas.width / width, (this.#canvas.height - above) / height);
  }

  #zoomFrom(zoom: number, steps: number): number {
    const whole = Array.from({ length: MAX_ZOOM }, (_, place) => place + 1);
    const small = this.#campus.grounds !== null || this.#zoomThatFits(this.#campus.boxOf(null)) < 0.85;
    const zooms = [...(small ? SMALL_ZOOMS : []), ...whole];
    const farther = zooms.filter((one) => one < zoom - 0.01).at(-1);
    const closer = zooms.find((one) => one > zoom + 0.01);
    return (steps > 0 ? closer : farther) ?? zoom;
  }

  /** Somebody moves the view by hand. */
  #leaveOffice(): void {
    this.#way = null;
    if (this.#look.peek().at !== "elsewhere") {
      this.#look.value = { at: "elsewhere" };
    }
  }

  /** What can still be looked at when offices have come or gone. */
  #lookThatIsLeft(): Look {
    const look = this.#look.peek();
    const left = look.at === "host" && this.#campus.buildings.some(({ host }) => host === look.host);
    return left ? look : { at: "all" };
  }

  #walk(seconds: number): void {
    if (this.#way) {
      const { from, to } = this.#way;
      const share = Math.min(1, this.#way.share + seconds / WAY_SECONDS);
      this.#view = share < 1 ? between(from, to, 1 - (1 - share) ** 3) : to;
      this.#way = share < 1 ? { from, to, share } : null;
      this.#gripped = this.#view;
    }
  }

  /** Choose somebody by key, and go to where they can be seen. */
  #select(id: string | null): void {
    this.#selected = id;
    const head = id === null || !this.#campus.grounds ? null : this.#campus.headOf(id);
    if (head) {
      const [x, y] = this.#onPage(...head);
      const [width, height] = [this.#canvas.clientWidth, this.#canvas.clientHeight];
      if (x < EDGE || y < EDGE || x > width - EDGE || y > height - EDGE) {
        const { zoom } = this.#view;
        const scale = (devicePixelRatio || 1) / zoom;
        this.#leaveOffice();
        this.#view = {
          zoom,
          x: this.#view.x + (x - width / 2) * scale,
          y: this.#view.y + (y - height / 2) * scale,
        };
        this.#gripped = this.#view;
      }
    }
  }

  /** What leaves the floor flies to a counter, or, where it cannot, rises where it was made. */
  #letFly(): void {
    const { left, top } = this.#canvas.getBoundingClientRect();
    for (const { x, y, text, to, from } of this.#campus.takeDepartures()) {
      const [px, py] = this.#onPage(x, y);
      if (!this.#office.flights.launch({ x: left + px, y: top + py, text, to })) {
        from.scene.effects.figure(x - from.x, y - from.y, text, to === "purse" ? "#9be073" : "#fff6c9");
      }
    }
  }

  /** Keep the name tag next to whoever is pointed at. */
  #point(): void {
    const id = this.#selected;
    const head = id === null ? null : this.#campus.headOf(id);
    const before = this.#pointed.peek();
    if (id === null || !head) {
      if (before) {
        this.#pointed.value = null;
      }
      return;
    }
    const [headX, headY] = this.#onPage(...head);
    const below = headY < TAG_ROOM;
    const [x, y] = [Math.round(headX), Math.round(below ? headY + 50 : headY - 12)];
    if (!before || before.id !== id || before.x !== x || before.y !== y) {
      this.#pointed.value = { id, x, y, below };
    }
  }

  /** Where a pixel of the office lies on the canvas, in pixels of the page. */
  #onPage(x: number, y: number): readonly [number, number] {
    const { origin } = this.#campus.extent;
    const { zoom, x: left, y: top } = this.#view;
    const scale = devicePixelRatio || 1;
    return [((x + origin[0] - left) * zoom) / scale, ((y + origin[1] - top) * zoom) / scale];
  }

  #personAt({ x, y }: Place): string | null {
    return this.#painter?.personAt(this.#campus, this.#view, x, y) ?? null;
  }
}

/** A part of the way from one view to another: every point goes straight. */
function between(from: View, to: View, share: number): View {
  const mix = (one: number, other: number) => one + (other - one) * share;
  const zoom = mix(from.zoom, to.zoom);
  return {
    zoom,
    x: mix(from.x * from.zoom, to.x * to.zoom) / zoom,
    y: mix(from.y * from.zoom, to.y * to.zoom) / zoom,
  };
}
