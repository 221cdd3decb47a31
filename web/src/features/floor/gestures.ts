/** What fingers, mouse and keys do to the floor. Places are device pixels of the canvas. */

/** By so much two fingers must part for the next zoom. */
const PINCH = 1.35;
/** What has moved by less, in pixels of the page, has not been dragged. */
const STEADY = 5;

export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface GestureListener {
  /** The pointer is over a place, or has left; returns whether there is somebody. */
  point(place: Place | null): boolean;
  choose(place: Place): void;
  /** A drag begins. */
  grip(): void;
  /** It has come so far from where it began. */
  drag(by: Place): void;
  zoom(steps: number, around: Place): void;
  /** Returns whether the key means something here. */
  key(key: string): boolean;
}

export function listenTo(canvas: HTMLCanvasElement, listener: GestureListener, signal: AbortSignal): void {
  const fingers = new Map<number, PointerEvent>();
  let from: { x: number; y: number; far: boolean } | null = null;
  let spread = 0;
  const placeOf = ({ offsetX, offsetY }: MouseEvent): Place => {
    const scale = devicePixelRatio || 1;
    return { x: offsetX * scale, y: offsetY * scale };
  };
  const spreadOf = () => {
    const [one, other] = [...fingers.values()];
    return one && other ? Math.hypot(one.offsetX - other.offsetX, one.offsetY - other.offsetY) : 0;
  };

  const begin = (event: PointerEvent) => {
    fingers.set(event.pointerId, event);
    spread = spreadOf();
    from = { x: event.offsetX, y: event.offsetY, far: fingers.size > 1 };
    listener.grip();
    canvas.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    if (!from) {
      canvas.style.cursor = listener.point(placeOf(event)) ? "pointer" : "grab";
      return;
    }
    fingers.set(event.pointerId, event);
    if (fingers.size > 1) {
      const now = spreadOf();
      if (now > spread * PINCH || now < spread / PINCH) {
        listener.zoom(now > spread ? 1 : -1, placeOf(event));
        spread = now;
      }
      return;
    }
    const [dx, dy] = [event.offsetX - from.x, event.offsetY - from.y];
    from.far ||= Math.hypot(dx, dy) > STEADY;
    if (from.far) {
      const scale = devicePixelRatio || 1;
      listener.point(null);
      listener.drag({ x: dx * scale, y: dy * scale });
    }
  };
  const end = (event: PointerEvent) => {
    fingers.delete(event.pointerId);
    if (from && !from.far && event.type === "pointerup") {
      listener.choose(placeOf(event));
    }
    from = null;
  };
  canvas.addEventListener("pointerdown", begin, { signal });
  canvas.addEventListener("pointermove", move, { signal });
  canvas.addEventListener("pointerup", end, { signal });
  canvas.addEventListener("pointercancel", end, { signal });
  canvas.addEventListener("pointerleave", () => listener.point(null), { signal });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      listener.zoom(event.deltaY < 0 ? 1 : -1, placeOf(event));
    },
    { signal, passive: false },
  );
  canvas.addEventListener(
    "keydown",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && listener.key(event.key)) {
        event.preventDefault();
      }
    },
    { signal },
  );
}
