/** How somebody looks: hair, clothes and what is worn, seeded from the id, so that Scout is Scout on every screen. */

import { type FrameName, PARTS, PEOPLE, type Place } from "./atlas";
import { type Chance, pick, seeded } from "./chance";

/** A colour with its shade, and its light where it has one. */
type Dye = readonly [string, string, string];

const SKIN: readonly [Dye, ...Dye[]] = [
  ["#fbd6b3", "#e2ab85", ""],
  ["#f6c9a0", "#dd9f78", ""],
  ["#e0a878", "#bd8256", ""],
  ["#b97d52", "#945d3a", ""],
  ["#8c5a3c", "#6b412a", ""],
];
const HAIR: readonly [Dye, ...Dye[]] = [
  ["#7a4a2b", "#57321f", "#a26a3e"],
  ["#3b2c35", "#281d26", "#5c4854"],
  ["#e0b04a", "#b5842f", "#f6d57e"],
  ["#c4582f", "#943c20", "#e27f50"],
  ["#9aa0ad", "#747a88", "#c3c8d2"],
  ["#6a5acd", "#4c3f9e", "#9488ea"],
  ["#d86a9a", "#ab4a75", "#f09bc0"],
  ["#3f8f7f", "#2c695d", "#66bcab"],
];
const CLOTHES: readonly [Dye, ...Dye[]] = [
  ["#4f86d9", "#3763ad", "#8fb8f2"],
  ["#e2574c", "#b23a34", "#ff8f80"],
  ["#58b368", "#3b8a4c", "#93dd9c"],
  ["#f0b429", "#c48a16", "#ffd873"],
  ["#8e6fd1", "#6a4fa8", "#bba3ee"],
  ["#3bb3b0", "#268785", "#80dcd8"],
  ["#e98345", "#bb5f2b", "#ffb07f"],
  ["#f4f1e6", "#cfc8b4", "#ffffff"],
  ["#5a607e", "#41465f", "#8188a8"],
];
const TROUSERS: readonly [Dye, ...Dye[]] = [
  ["#4a4a66", "#35354d", ""],
  ["#6b4a38", "#4d3427", ""],
  ["#3d5a80", "#2b4160", ""],
  ["#7a7466", "#5b564b", ""],
];
const ACCENTS: readonly [Dye, ...Dye[]] = [
  ["#e2574c", "#b23a34", ""],
  ["#4f86d9", "#3763ad", ""],
  ["#58b368", "#3b8a4c", ""],
  ["#f0b429", "#c48a16", ""],
];
const ACCESSORIES = ["none", "none", "none", "glasses", "headset", "beard", "bow"] as const;

export interface Look {
  readonly hair: string;
  readonly accessory: string;
  readonly skin: Dye;
  readonly hairDye: Dye;
  readonly clothes: Dye;
  readonly trousers: Dye;
  readonly accent: Dye;
}

export function lookOf(id: string): Look {
  const chance: Chance = seeded(id);
  const styles = PEOPLE.styles as [string, ...string[]];
  const hair = pick(styles, chance);
  const wanted = pick(ACCESSORIES, chance);
  return {
    hair,
    // A cap leaves no room for a bow, nor long hair for a beard.
    accessory:
      wanted === "bow" && hair === "cap"
        ? "none"
        : wanted === "beard" && hair === "long"
          ? "glasses"
          : wanted,
    skin: pick(SKIN, chance),
    hairDye: pick(HAIR, chance),
    clothes: pick(CLOTHES, chance),
    trousers: pick(TROUSERS, chance),
    accent: pick(ACCENTS, chance),
  };
}

/** Every frame of one person, side by side; those that look to the right in the second row. */
export class Figure {
  readonly sheet: HTMLCanvasElement;
  readonly #columns = new Map<FrameName, number>();

  constructor(look: Look, people: CanvasImageSource) {
    const [width, height] = PEOPLE.cell as [number, number, number, number];
    const frames = Object.keys(PEOPLE.frames) as FrameName[];
    this.sheet = document.createElement("canvas");
    this.sheet.width = frames.length * width;
    this.sheet.height = 2 * height;
    const pen = this.sheet.getContext("2d", { willReadFrequently: true });
    if (!pen) {
      return;
    }
    for (const [column, frame] of frames.entries()) {
      this.#columns.set(frame, column);
      drawFrame(pen, people, look, frame, column * width);
    }
    dye(pen, this.sheet, look);
    pen.save();
    for (const column of frames.keys()) {
      pen.setTransform(-1, 0, 0, 1, (column + 1) * width, height);
      pen.drawImage(this.sheet, column * width, 0, width, height, 0, 0, width, height);
    }
    pen.restore();
  }

  /** Where a frame lies on the sheet; `right` for the one that looks to the right. */
  placeOf(frame: FrameName, right: boolean): Place {
    const [width, height, x, y] = PEOPLE.cell as [number, number, number, number];
    return [
      (this.#columns.get(frame) ?? 0) * width,
      right ? height : 0,
      width,
      height,
      right ? width - x : x,
      y,
    ];
  }
}

function drawFrame(
  pen: CanvasRenderingContext2D,
  people: CanvasImageSource,
  { hair, accessory }: Look,
  frame: FrameName,
  left: number,
): void {
  const { facing, head } = PEOPLE.frames[frame];
  const [x = 0, y = 0] = head;
  const layers: readonly (readonly [string, number, number])[] = [
    [`body ${frame}`, 0, 0],
    [`head ${facing}`, x - 5, y - 3],
    [`hair ${facing} ${hair}`, x - 5, y - 3],
    [`accessory ${facing} ${accessory}`, x - 5, y - 3],
    [`over ${frame}`, 0, 0],
  ];
  for (const [name, dx, dy] of layers) {
    const place = PARTS[name];
    if (place) {
      const [sx, sy, width, height] = place;
      pen.drawImage(people, sx, sy, width, height, left + dx, dy, width, height);
    }
  }
}

/** Put somebody's own colours in the place of those that the sheet is drawn with. */
function dye(pen: CanvasRenderingContext2D, { width, height }: HTMLCanvasElement, look: Look): void {
  const { colours } = PEOPLE;
  const changes = new Map<number, number>();
  const change = (from: string, to: string) => to && changes.set(packed(from), packed(to));
  for (const [letters, tones] of [
    ["sS", look.skin],
    ["hHi", look.hairDye],
    ["cCd", look.clothes],
    ["tT", look.trousers],
    ["aA", look.accent],
  ] as const) {
    [...letters].forEach((letter, tone) => {
      change(colours[letter as keyof typeof colours], tones[tone] ?? "");
    });
  }
  const image = pen.getImageData(0, 0, width, height);
  const pixels = image.data;
  for (let at = 0; at < pixels.length; at += 4) {
    const to = changes.get(((pixels[at] ?? 0) << 16) | ((pixels[at + 1] ?? 0) << 8) | (pixels[at + 2] ?? 0));
    if (to !== undefined && pixels[at + 3] === 255) {
      [pixels[at], pixels[at + 1], pixels[at + 2]] = [to >> 16, (to >> 8) & 255, to & 255];
    }
  }
  pen.putImageData(image, 0, 0);
}

function packed(colour: string): number {
  return Number.parseInt(colour.slice(1), 16);
}
