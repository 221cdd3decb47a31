/**
 * How the offices of several hosts stand on one campus: in rows and columns with paths between them, as near to a square
 * as they come, since that is what shows each of them largest.
 */

import { type FurnitureName, TILE } from "./atlas";
import type { Spot, Thing } from "./plan";

/** Between two offices: a path along the front of one, and what the back walls of the other hide. */
const GAP = 6;
/** Around them all; behind, walls hide the most of it. */
const BACK = 4;
const FRONT = 4;
/** A path lies so far from the front of an office, and is so broad. */
const VERGE = 1;
const PATH = 2;
/** So many tiles further do the paths lead: beyond what anybody sees. */
const FAR = 80;
/** So far around it all trees stand, in pixels. */
const OUTSKIRTS = { across: 480, along: 300 } as const;
/** A tree is as high above its tile, and reaches so far to its sides, in pixels. */
const TREE = { height: 50, reach: 24 } as const;

export interface Size {
  readonly width: number;
  readonly depth: number;
}

/** Tiles of the campus, from a corner on. */
export interface Area extends Spot, Size {}

export interface Grounds extends Size {
  /** Where each of the offices stands, in the order in which they were given. */
  readonly plots: readonly Area[];
  readonly paths: readonly Area[];
  /** What is more than grass, in pixels from the upper corner. */
  readonly bounds: Bounds;
  /** What stands outside, those at the back first. */
  readonly things: readonly Thing[];
}

export interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

type Lots = Omit<Grounds, "things">;

/** So many tiles behind a thing its top hides: no office may be there, or it would stand before what hides it. */
const HIDES = 3;
const LAMPS_APART = 7;
/** How many of the places for them bear trees, and how many flowers and bushes. */
const TREES = 0.55;
/** Trees keep together: so many tiles wide are groves and clearings, and so many of them are clearings. */
const GROVE = 7;
const CLEARINGS = 0.5;

/** Give each office a plot: from left to right, as they are given. */
export function groundsFor(offices: readonly Size[]): Grounds {
  const tries = offices.map((_, place) => arranged(offices, place + 1));
  const [first = arranged([], 1), ...others] = tries;
  const lots = others.reduce((best, next) => (spreadOf(next) < spreadOf(best) ? next : best), first);
  return { ...lots, things: planted(lots) };
}

/** Something between 0 and 1 that is the same for a tile whenever it is asked for. */
export function scatter(x: number, y: number): number {
  let mixed = Math.imul(x + 1, 374_761_393) ^ Math.imul(y + 1, 668_265_263);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 1_274_126_177);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 4_294_967_296;
}

/** Lamps along the paths, and trees and bushes on the grass, wherever they hide no office. */
function planted(lots: Lots): readonly Thing[] {
  const { left, top, width, height } = lots.bounds;
  const things: Thing[] = [];
  for (const { x, y } of tilesWithin({
    left: left + TREE.reach,
    top: top + TREE.height,
    width: width - 2 * TREE.reach,
    height: height - TREE.height,
  })) {
    const name = isPaved(lots, x, y) ? null : standing(lots, x, y);
    if (name && isClear(lots, x, y, name === "street-lamp" ? 0 : 1)) {
      things.push({ name, x, y, width: 1, depth: 1 });
    }
  }
  return things;
}

/** The tiles that are seen as a whole within some pixels, those at the back first. */
export function* tilesWithin({ left, top, width, height }: Bounds): Generator<Spot> {
  const [first, last] = [Math.ceil(left / TILE) + 1, Math.floor((left + width) / TILE) - 1];
  for (let row = Math.ceil((2 * top) / TILE); ((row + 2) * TILE) / 2 <= top + height; row += 1) {
    for (let column = first + ((first + row) & 1); column <= last; column += 2) {
      yield { x: (row + column) / 2, y: (row - column) / 2 };
    }
  }
}

function standing(lots: Lots, x: number, y: number): FurnitureName | null {
  const beside = lots.paths.some(
    (path) =>
      (path.depth > PATH ? x - path.x === PATH && isLampsTurn(y) : false) ||
      (path.width > PATH ? y - path.y === PATH && isLampsTurn(x) : false),
  );
  if (beside) {
    return "street-lamp";
  }
  const chance = scatter(x, y);
  // The most of its neighbours: so no two stand side by side.
  for (let dx = -1; dx <= 1; dx += 1) {
    for (let dy = -1; dy <= 1; dy += 1) {
      if (scatter(x + dx, y + dy) > chance) {
        return null;
      }
    }
  }
  const kind = scatter(y, x);
  if (scatter(Math.floor(x / GROVE) + 5, Math.floor(y / GROVE)) < CLEARINGS) {
    return kind < 0.12 ? "bush" : null;
  }
  return kind < TREES ? (kind < TREES * 0.6 ? "tree-round" : "tree-fir") : kind < 0.8 ? "bush" : null;
}

function isLampsTurn(step: number): boolean {
  return (step + FAR * LAMPS_APART) % LAMPS_APART === 3;
}

/** Whether a thing can stand here without hiding an office, or standing in one; its top reaches so far to the sides. */
function isClear({ plots }: Lots, x: number, y: number, breadth: number): boolean {
  return !plots.some((plot) => {
    for (let behind = 0; behind <= HIDES; behind += 1) {
      const [px, py] = [x - behind, y - behind];
      const reach = behind > 0 ? breadth : 0;
      if (
        px + reach >= plot.x &&
        px - reach < plot.x + plot.width &&
        py + reach >= plot.y &&
        py - reach < plot.y + plot.depth
      ) {
        return true;
      }
    }
    return false;
  });
}

export function isPaved({ paths }: Pick<Grounds, "paths">, x: number, y: number): boolean {
  return paths.some(
    (path) => x >= path.x && y >= path.y && x < path.x + path.width && y < path.y + path.depth,
  );
}

/** A drawing of the campus is twice as wide as it is high, whatever its form: what counts is the sum. */
function spreadOf({ width, depth }: Size): number {
  return width + depth + Math.abs(width - depth) / 4;
}

function arranged(offices: readonly Size[], columns: number): Lots {
  const rows = Math.max(1, Math.ceil(offices.length / columns));
  const cells = cellsFor(offices.length, columns, rows);
  const widths = Array.from({ length: columns }, () => 0);
  const depths = Array.from({ length: rows }, () => 0);
  offices.forEach(({ width, depth }, place) => {
    const { x, y } = cells[place] ?? { x: 0, y: 0 };
    widths[x] = Math.max(widths[x] ?? 0, width);
    depths[y] = Math.max(depths[y] ?? 0, depth);
  });
  const [lefts, tops] = [startsOf(widths), startsOf(depths)];
  const size = {
    width: BACK + sum(widths) + (columns - 1) * GAP + FRONT,
    depth: BACK + sum(depths) + (rows - 1) * GAP + FRONT,
  };
  const plots = offices.map(({ width, depth }, place) => {
    const { x, y } = cells[place] ?? { x: 0, y: 0 };
    return { x: lefts[x] ?? BACK, y: tops[y] ?? BACK, width, depth };
  });
  const along = lefts.map((left, column) => {
    const x = left + (widths[column] ?? 0) + VERGE;
    return { x, y: -FAR, width: PATH, depth: size.depth + 2 * FAR };
  });
  const across = tops.map((top, row) => {
    const y = top + (depths[row] ?? 0) + VERGE;
    return { x: -FAR, y, width: size.width + 2 * FAR, depth: PATH };
  });
  const bounds = {
    left: -size.depth * TILE - OUTSKIRTS.across,
    top: -OUTSKIRTS.along,
    width: (size.width + size.depth) * TILE + 2 * OUTSKIRTS.across,
    height: ((size.width + size.depth) * TILE) / 2 + 2 * OUTSKIRTS.along,
  };
  return { ...size, plots, paths: [...along, ...across], bounds };
}

/** The cells of a grid as they are seen from left to right; those left over are in front. */
function cellsFor(count: number, columns: number, rows: number): readonly Spot[] {
  return Array.from({ length: columns * rows }, (_, place) => ({
    x: place % columns,
    y: Math.floor(place / columns),
  }))
    .sort((one, other) => one.x + one.y - other.x - other.y || one.x - other.x)
    .slice(0, count)
    .sort((one, other) => one.x - one.y - (other.x - other.y) || one.y - other.y);
}

function startsOf(lengths: readonly number[]): readonly number[] {
  return lengths.map((_, place) => BACK + sum(lengths.slice(0, place)) + place * GAP);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
