/** The light of the hour: what lies over everything, how the sky is, and whether the lamps are lit. */

export interface Daylight {
  /** What all that is drawn is multiplied with. */
  readonly tint: string;
  /** What everything outside is multiplied with before: at night it is darker there. */
  readonly outside: string;
  readonly skyTop: string;
  readonly skyBottom: string;
  /** How bright the lamps are, from 0 to 1. */
  readonly lamps: number;
  readonly stars: boolean;
}

const OUTSIDE_BY_DAY = [255, 255, 255] as const;
const OUTSIDE_AT_NIGHT = [150, 158, 214] as const;

type Rgb = readonly [number, number, number];

interface Hour {
  readonly at: number;
  readonly tint: Rgb;
  readonly top: Rgb;
  readonly bottom: Rgb;
  readonly lamps: number;
}

const NIGHT = {
  tint: [126, 132, 196],
  top: [18, 22, 56],
  bottom: [44, 44, 96],
  lamps: 1,
} as const;
const HOURS: readonly Hour[] = [
  { at: 0, ...NIGHT },
  { at: 5, ...NIGHT },
  {
    at: 7,
    tint: [255, 222, 206],
    top: [122, 164, 224],
    bottom: [255, 206, 168],
    lamps: 0.2,
  },
  { at: 9, tint: [255, 252, 244], top: [104, 178, 244], bottom: [196, 230, 255], lamps: 0 },
  { at: 16, tint: [255, 250, 236], top: [110, 182, 244], bottom: [206, 234, 255], lamps: 0 },
  {
    at: 18.5,
    tint: [255, 206, 170],
    top: [110, 104, 190],
    bottom: [255, 168, 116],
    lamps: 0.5,
  },
  { at: 20.5, ...NIGHT, tint: [146, 144, 200] },
  { at: 24, ...NIGHT },
];

/** The light at a time of day; `hour` from 0 to 24. */
export function daylightAt(hour: number): Daylight {
  const place = Math.max(
    1,
    HOURS.findIndex(({ at }) => at > hour),
  );
  const [before, after] = [HOURS[place - 1], HOURS[place]];
  if (!before || !after) {
    throw new RangeError(`${hour} is no hour of a day`);
  }
  const share = (hour - before.at) / (after.at - before.at);
  const mix = (one: Rgb, other: Rgb) => mixed(one, other, share);
  const lamps = before.lamps + (after.lamps - before.lamps) * share;
  return {
    tint: mix(before.tint, after.tint),
    outside: mixed(OUTSIDE_BY_DAY, OUTSIDE_AT_NIGHT, lamps),
    skyTop: mix(before.top, after.top),
    skyBottom: mix(before.bottom, after.bottom),
    lamps,
    stars: lamps > 0.7,
  };
}

function mixed(one: Rgb, other: Rgb, share: number): string {
  return `rgb(${one.map((value, channel) => Math.round(value + ((other[channel] ?? 0) - value) * share)).join(" ")})`;
}

export function hourOf(time: Date): number {
  return time.getHours() + time.getMinutes() / 60;
}
