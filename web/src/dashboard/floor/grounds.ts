/**
 * How the offices of several hosts stand on one campus: in rows and columns with paths between them, as near to a square
 * as they come, since that is what shows each of them largest.
 */

import type { Spot } from "./plan";

/** Between two offices: a path along the front of one, and what the back walls of the other hide. */
const GAP = 6;
/** Around them all; behind, walls hide the most of it. */
const BACK = 4;
const FRONT = 4;
/** A path lies so far from the front of an office, and is so broad. */
const VERGE = 1;
const PATH = 2;

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
}

/** Give each office a plot: from left to right, as they are given. */
export function groundsFor(offices: readonly Size[]): Grounds {
  const tries = offices.map((_, place) => arranged(offices, place + 1));
  const [first = arranged([], 1), ...others] = tries;
  return others.reduce((best, next) => (spreadOf(next) < spreadOf(best) ? next : best), first);
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

function arranged(offices: readonly Size[], columns: number): Grounds {
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
    return { x, y: 0, width: PATH, depth: size.depth };
  });
  const across = tops.map((top, row) => {
    const y = top + (depths[row] ?? 0) + VERGE;
    return { x: 0, y, width: size.width, depth: PATH };
  });
  return { ...size, plots, paths: [...along, ...across] };
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
