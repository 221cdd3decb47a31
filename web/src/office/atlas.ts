/** The sprite sheets, and where each picture lies on them; drawn by `web/art`. */

import described from "./sprites/atlas.json";
import furnitureUrl from "./sprites/furniture.png";
import peopleUrl from "./sprites/people.png";

/** x, y, width, height, and the anchor inside the picture. */
export type Place = readonly [number, number, number, number, number, number];

export const TILE = described.tile;
export const WALL = described.wall;
export const FURNITURE = described.furniture as unknown as Readonly<Record<FurnitureName, Place>>;
export type FurnitureName = keyof typeof described.furniture;

export const PEOPLE = described.people;
export type FrameName = keyof typeof described.people.frames;
export const PARTS = PEOPLE.parts as unknown as Readonly<Record<string, Place>>;

export interface Sheets {
  readonly furniture: HTMLImageElement;
  readonly people: HTMLImageElement;
}

let loading: Promise<Sheets> | null = null;

/** Load the sheets, once for the whole page; after a failure again. */
export function loadSheets(): Promise<Sheets> {
  loading ??= loadBoth().catch((error: unknown) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function loadBoth(): Promise<Sheets> {
  const [furniture, people] = await Promise.all([furnitureUrl, peopleUrl].map(load));
  if (!furniture || !people) {
    throw new Error("The pictures of the office could not be loaded.");
  }
  return { furniture, people };
}

async function load(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}
