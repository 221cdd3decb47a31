/**
 * The plan of the office for so many people: how large the room is, where the desks stand and what else is in it.
 *
 * Tiles: x runs to the lower right along the right wall, y to the lower left along the left one.
 */

import type { FurnitureName } from "./atlas";
import { type Chance, pick, seeded } from "./chance";

export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** A thing that stands somewhere; `width` and `depth` in tiles, of which nobody walks on. */
export interface Thing extends Spot {
  readonly name: FurnitureName;
  readonly width: number;
  readonly depth: number;
}

/** A desk of two tiles, and where its person sits: before it, with the back to the viewer, or behind it. */
export interface Desk extends Spot {
  readonly seat: Spot;
  readonly facing: "front" | "back";
  readonly chair: FurnitureName;
}

export interface Plan {
  readonly width: number;
  readonly depth: number;
  readonly desks: readonly Desk[];
  readonly things: readonly Thing[];
  /** What hangs on the walls: along the right one by x, along the left one by y. */
  readonly right: readonly { readonly name: FurnitureName; readonly x: number }[];
  readonly left: readonly { readonly name: FurnitureName; readonly y: number }[];
  readonly windows: { readonly right: ReadonlySet<number>; readonly left: ReadonlySet<number> };
  readonly door: Spot;
  readonly rack: Spot;
  readonly shelf: Spot;
  /** Where the cat sleeps. */
  readonly basket: Spot;
  /** Where people spend their time when they have none to lose. */
  readonly haunts: readonly (Spot & { readonly what: "coffee" | "talk" | "look" | "rest" })[];
  readonly carpets: readonly { readonly name: FurnitureName; readonly from: Spot; readonly to: Spot }[];
  /** Whether somebody can stand on a tile. */
  free(x: number, y: number): boolean;
}

const CHAIRS = ["chair-blue", "chair-red", "chair-green", "chair-purple"] as const;
const CELL = 3;
const LOUNGE = 5;
const AISLE = 2;

/** What an office is furnished with. */
interface Style {
  readonly chairs: readonly FurnitureName[];
  readonly plants: {
    readonly wall: FurnitureName;
    readonly corner: FurnitureName;
    readonly side: FurnitureName;
  };
  readonly carpets: { readonly table: FurnitureName; readonly sofa: FurnitureName };
  readonly posters: { readonly right: FurnitureName; readonly left: FurnitureName };
}

const STYLE: Style = {
  chairs: CHAIRS,
  plants: { wall: "plant-tall", corner: "plant-round", side: "plant-flowers" },
  carpets: { table: "carpet-red", sofa: "carpet-blue" },
  posters: { right: "poster-green", left: "poster-purple" },
};

const PLANTS = ["plant-tall", "plant-round", "plant-flowers"] as const;
const CARPETS = ["carpet-red", "carpet-blue", "carpet-teal"] as const;
const POSTERS = ["poster-green", "poster-purple"] as const;

/** A style that is the same on every screen, and another than that of most others. */
function styleOf(chance: Chance): Style {
  const chair = pick(CHAIRS, chance);
  const table = pick(CARPETS, chance);
  const right = pick(POSTERS, chance);
  return {
    chairs: [chair],
    plants: { wall: pick(PLANTS, chance), corner: pick(PLANTS, chance), side: pick(PLANTS, chance) },
    carpets: { table, sofa: CARPETS[(CARPETS.indexOf(table) + 1 + Math.floor(chance() * 2)) % 3] ?? table },
    posters: { right, left: right === "poster-green" ? "poster-purple" : "poster-green" },
  };
}

/** An office for so many people: the one that everybody knows, or one in a style of its own, by its seed. */
export function planFor(people: number, seed: string | null = null): Plan {
  const style = seed === null ? STYLE : styleOf(seeded(`office ${seed}`));
  const places = Math.max(4, people);
  const columns = Math.max(2, Math.ceil(Math.sqrt(places)));
  const rows = Math.ceil(places / columns);
  const width = AISLE + columns * CELL + LOUNGE;
  const depth = Math.max(9, AISLE + rows * CELL + 1);
  const lounge = width - LOUNGE;
  const desks: Desk[] = Array.from({ length: columns * rows }, (_, place) => {
    const [column, row] = [place % columns, Math.floor(place / columns)];
    const facing = row % 2 ? "front" : "back";
    const [x, top] = [AISLE + column * CELL, AISLE + row * CELL];
    const y = facing === "front" ? top + 1 : top;
    return {
      x,
      y,
      seat: { x: x + 0.5, y: facing === "front" ? y - 1 : y + 1 },
      facing,
      chair: style.chairs[(column + row) % style.chairs.length] ?? "chair-blue",
    };
  });
  const board = AISLE + 3;
  // Below the windows, as far as the coffee corner leaves room.
  const sideboards = Math.max(0, Math.floor((lounge - board - 3) / 3));
  const rack = { x: 0, y: depth - 2 };
  const shelf = { x: AISLE, y: 0 };
  const table = { x: lounge + 1, y: 4 };
  const corners = cornersOf(lounge, depth);
  const things: Thing[] = [
    ...desks.map(({ x, y }): Thing => ({ name: "desk-off", x, y, width: 2, depth: 1 })),
    { name: "shelf", ...shelf, width: 2, depth: 1 },
    { name: "coffee", x: lounge + 1, y: 0, width: 2, depth: 1 },
    { name: "cooler", x: lounge + 3, y: 0, width: 1, depth: 1 },
    { name: "table", ...table, width: 3, depth: 2 },
    { name: "sofa-teal", x: lounge + 2, y: depth - 2, width: 2, depth: 1 },
    { name: "rack-on", ...rack, width: 1, depth: 1 },
    { name: style.plants.wall, x: 0, y: 0, width: 1, depth: 1 },
    { name: style.plants.corner, x: width - 1, y: 0, width: 1, depth: 1 },
    { name: style.plants.side, x: width - 1, y: depth - 1, width: 1, depth: 1 },
    { name: style.plants.corner, x: lounge, y: depth - 1, width: 1, depth: 1 },
    { name: "lamp", x: width - 1, y: depth - 3, width: 1, depth: 1 },
    { name: "lamp", x: 0, y: depth - 4, width: 1, depth: 1 },
    ...edgeOf(lounge, depth),
    ...Array.from({ length: sideboards }, (_, place): Thing => {
      return { name: "sideboard", x: board + 3 + 3 * place, y: 0, width: 2, depth: 1 };
    }),
    ...corners.flatMap(({ things: own }) => own),
  ];
  const taken = new Set<string>();
  for (const thing of things) {
    for (let x = thing.x; x < thing.x + thing.width; x += 1) {
      for (let y = thing.y; y < thing.y + thing.depth; y += 1) {
        taken.add(`${x} ${y}`);
      }
    }
  }
  return {
    width,
    depth,
    desks,
    things,
    right: [
      { name: "whiteboard", x: board },
      { name: "clock", x: Math.max(board + 4, lounge - 1) },
      { name: style.posters.right, x: width - 1.5 },
    ],
    left: [{ name: style.posters.left, y: depth - 1.4 }],
    windows: {
      right: new Set(everyOther(board + 3, lounge - 1)),
      left: new Set(everyOther(5, depth - 3)),
    },
    door: { x: 0, y: 2 },
    rack,
    shelf,
    basket: { x: lounge + 2, y: depth - 1 },
    haunts: [
      { x: lounge + 1, y: 1, what: "coffee" },
      { x: lounge + 2, y: 1, what: "coffee" },
      { x: lounge + 3, y: 1, what: "coffee" },
      { x: table.x, y: table.y + 2, what: "talk" },
      { x: table.x + 2, y: table.y + 2, what: "talk" },
      { x: table.x - 1, y: table.y, what: "talk" },
      { x: board, y: 1, what: "look" },
      { x: board + 1, y: 1, what: "look" },
      { x: 1, y: 5, what: "look" },
      { x: lounge + 2, y: depth - 3, what: "rest" },
      { x: lounge + 3, y: depth - 3, what: "rest" },
    ],
    carpets: [
      { name: style.carpets.table, from: { x: lounge, y: 3 }, to: { x: width - 2, y: 6 } },
      ...corners.map(({ carpet }) => carpet),
      { name: style.carpets.sofa, from: { x: lounge + 1, y: depth - 3 }, to: { x: width - 2, y: depth - 2 } },
    ],
    free: (x, y) => x >= 0 && y >= 0 && x < width && y < depth && !taken.has(`${x} ${y}`),
  };
}

/** What stands along the front edge, where nobody sits: it must be low, since it stands before everybody. */
function edgeOf(lounge: number, depth: number): Thing[] {
  const row: readonly FurnitureName[] = [
    "boxes",
    "printer",
    "plant-flowers",
    "beanbag-red",
    "beanbag-purple",
    "plant-flowers",
  ];
  return Array.from({ length: Math.max(0, Math.ceil((lounge - 3) / 2)) }, (_, place): Thing => {
    const name = row[place % row.length] ?? "boxes";
    return { name, x: 2 + 2 * place, y: depth - 1, width: 1, depth: 1 };
  });
}

interface Corner {
  readonly things: readonly Thing[];
  readonly carpet: Plan["carpets"][number];
}

/** What fills the side of a deep room: tables and seats in turn. */
function cornersOf(lounge: number, depth: number): Corner[] {
  const count = Math.max(0, Math.floor((depth - 12) / 6));
  return Array.from({ length: count }, (_, place): Corner => {
    const y = 9 + place * 6;
    const [from, to] = [
      { x: lounge + 1, y },
      { x: lounge + 3, y: y + 2 },
    ];
    const plant: Thing = { name: "plant-flowers", x: lounge + 4, y: y + 3, width: 1, depth: 1 };
    return place % 2
      ? {
          things: [{ name: "table", x: lounge + 1, y, width: 3, depth: 2 }, plant],
          carpet: { name: "carpet-red", from, to },
        }
      : {
          things: [
            { name: "sofa-teal", x: lounge + 1, y, width: 2, depth: 1 },
            { name: "plant-round", x: lounge + 4, y, width: 1, depth: 1 },
            plant,
          ],
          carpet: { name: "carpet-teal", from, to },
        };
  });
}

function everyOther(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n).filter((n) => (n - from) % 3 < 2);
}

/** The shortest way from one tile to another, without the first; straight through where there is none. */
export function wayBetween(plan: Plan, from: Spot, to: Spot): Spot[] {
  const [start, goal] = [from, to].map(({ x, y }) => ({ x: Math.round(x), y: Math.round(y) })) as [
    Spot,
    Spot,
  ];
  const key = ({ x, y }: Spot) => y * plan.width + x;
  const before = new Map<number, Spot | null>([[key(start), null]]);
  const queue: Spot[] = [start];
  for (const spot of queue) {
    if (spot.x === goal.x && spot.y === goal.y) {
      const way: Spot[] = [];
      for (let at: Spot | null = spot; at; at = before.get(key(at)) ?? null) {
        way.unshift(at);
      }
      return [...way.slice(1, -1), to];
    }
    for (const [dx, dy] of STEPS) {
      const next = { x: spot.x + dx, y: spot.y + dy };
      const open = plan.free(next.x, next.y) || (next.x === goal.x && next.y === goal.y);
      if (open && !before.has(key(next))) {
        before.set(key(next), spot);
        queue.push(next);
      }
    }
  }
  return [to];
}

const STEPS = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
] as const;
