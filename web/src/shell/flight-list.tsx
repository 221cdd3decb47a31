import { useEffect, useRef } from "preact/hooks";
import type { Flight, Flights } from "../dashboard/flights";
import type { PictureName } from "../parts/picture";
import { Picture } from "../parts/picture";

const FLIGHT_MS = 1300;
const BUMP_MS = 350;
/** How many straight pieces the curve is made of. */
const PIECES = 14;
/** The part of the time in which it pops up, before it leaves. */
const POP = 0.3;
const POP_PIXELS = 26;

const PICTURES: Readonly<Record<Flight["to"], PictureName>> = {
  tokens: "tokens",
  purse: "purse",
  bell: "alerts",
};

export function FlightList({ flights }: { flights: Flights }) {
  return (
    <div class="flights" aria-hidden="true">
      {flights.all.value.map((flight) => (
        <Flying key={flight.key} flight={flight} land={() => flights.land(flight.key)} />
      ))}
    </div>
  );
}

function Flying({ flight, land }: { flight: Flight; land: () => void }) {
  const element = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const counter = document.querySelector(`[data-landing="${flight.to}"]`);
    const flying = element.current;
    if (!counter || !flying) {
      land();
      return undefined;
    }
    const { left, top, width, height } = counter.getBoundingClientRect();
    const way = flying.animate(curve(flight, left + width / 2, top + height / 2), {
      duration: FLIGHT_MS,
      easing: "linear",
    });
    way.onfinish = () => {
      counter.animate({ scale: [1, 1.12, 1] }, { duration: BUMP_MS, easing: "ease-out" });
      land();
    };
    return () => way.cancel();
  }, [flight]);
  return (
    <span ref={element} class={`flight ${flight.to}`}>
      <Picture name={PICTURES[flight.to]} times={1} />
      {flight.text}
    </span>
  );
}

/** It pops up, hangs a moment, and falls in an arc to where it lands, ever smaller. */
function curve({ x, y }: Flight, toX: number, toY: number): Keyframe[] {
  const up = y - POP_PIXELS;
  const peak = { x: x + (toX - x) * 0.25, y: Math.min(up, toY) - 60 };
  const arc = Array.from({ length: PIECES }, (_, piece): Keyframe => {
    const part = (piece + 1) / PIECES;
    // Slowly away, and faster and faster down.
    const t = part * part * (3 - 2 * part);
    const along = (from: number, over: number, to: number) =>
      (1 - t) * (1 - t) * from + 2 * t * (1 - t) * over + t * t * to;
    return {
      offset: POP + (1 - POP) * part,
      translate: `${along(x, peak.x, toX)}px ${along(up, Math.max(4, peak.y), toY)}px`,
      scale: 1 - 0.25 * t,
      opacity: part > 0.9 ? 0.5 : 1,
    };
  });
  return [
    { offset: 0, translate: `${x}px ${y}px`, scale: 0.4, opacity: 0 },
    { offset: POP * 0.4, translate: `${x}px ${up}px`, scale: 1.15, opacity: 1 },
    { offset: POP, translate: `${x}px ${up}px`, scale: 1, opacity: 1 },
    ...arc,
  ];
}
