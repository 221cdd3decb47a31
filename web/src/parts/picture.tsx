/** Small pictures of our own, drawn as letters: each stands for a colour. Beside each stands a word. */

const COLOURS: Readonly<Record<string, string>> = {
  k: "#2f1d12",
  w: "#fff8e6",
  y: "#ffd24d",
  o: "#d98b2b",
  r: "#e0523f",
  g: "#4fa85a",
  b: "#5b9be0",
  l: "#b7b2c6",
  s: "#8b86a0",
  d: "#a8641c",
};

const PICTURES = {
  floor: [
    ".....kk.....",
    "....kyyk....",
    "...kyyyyk...",
    "..kyyyyyyk..",
    ".kyyyyyyyyk.",
    "kkkkkkkkkkkk",
    ".kwwwwwwwwk.",
    ".kwbbkwrrwk.",
    ".kwbbkwrrwk.",
    ".kwwwkwrrwk.",
    ".kwwwkwrrwk.",
    ".kkkkkkkkkk.",
  ],
  tasks: [
    "....kkkk....",
    ".kkkkggkkkk.",
    ".kookggkook.",
    ".kowkkkkwok.",
    ".kowwwwwwok.",
    ".kowglllwok.",
    ".kowwwwwwok.",
    ".kowglllwok.",
    ".kowwwwwwok.",
    ".kowrlllwok.",
    ".kooooooook.",
    ".kkkkkkkkkk.",
  ],
  tokens: [
    "...kkkkkk...",
    "..kyyyyyyk..",
    ".kywwyyyyok.",
    "kywyykkyyyok",
    "kywykyyyyyok",
    "kyyyykkyyyok",
    "kyyyyyykyyok",
    "kyyyykkyyook",
    "kyyyyyyyyook",
    ".kyyyyyyook.",
    "..koooooook.",
    "...kkkkkk...",
  ],
  leads: [
    ".....kk.....",
    ".....kk.....",
    "....kyyk....",
    "....kywk....",
    "kkkkkywkkkkk",
    "kyyyyywyyyyk",
    ".kyyyyyyyyk.",
    "..kyyyyyyk..",
    "..kyyyyyok..",
    ".kyyykkyyok.",
    ".kyykk.kook.",
    ".kkk....kkk.",
  ],
  files: [
    ".kkkkkkk....",
    ".kwwwwwkk...",
    ".kwwwwwklk..",
    ".kwllwwkkkk.",
    ".kwwwwwwwwk.",
    ".kwlllllwwk.",
    ".kwwwwwwwwk.",
    ".kwllllllwk.",
    ".kwwwwwwwwk.",
    ".kwllllwwwk.",
    ".kwwwwwwwwk.",
    ".kkkkkkkkkk.",
  ],
  events: [
    ".kkkkkkkkkk.",
    "kwwwwwwwwwwk",
    "kwwwwwwwwwwk",
    "kwbbwbbwbbwk",
    "kwbbwbbwbbwk",
    "kwwwwwwwwwwk",
    "kwwwwwwwwwwk",
    ".kkwwwkkkkk.",
    "..kwwk......",
    "..kwk.......",
    "..kk........",
    "............",
  ],
  alerts: [
    ".....kk.....",
    "....kyyk....",
    "...kyyyok...",
    "..kywyyyok..",
    "..kywyyyok..",
    "..kywyyyok..",
    "..kyyyyyok..",
    ".kyyyyyyyok.",
    ".kyyyyyyyok.",
    "kkkkkkkkkkkk",
    "....krrk....",
    ".....kk.....",
  ],
  settings: [
    "....kkkk....",
    ".kk.kllk.kk.",
    "kllkkllkkllk",
    "klllllllllsk",
    ".kllkkkklsk.",
    "kklkk..kklkk",
    "kllk....klsk",
    "kkllk..klskk",
    ".kllkkkklsk.",
    "klllllllslsk",
    "kllkklskkslk",
    ".kk.kkkk.kk.",
  ],
  standups: [
    "............",
    ".kk..kk..kk.",
    "kyykkyykkyyk",
    "kyykkyykkyyk",
    ".kk..kk..kk.",
    "kbbkkggkkrrk",
    "kbbkkggkkrrk",
    "kbbkkggkkrrk",
    "kbbkkggkkrrk",
    "ksskksskkssk",
    "kkkkkkkkkkkk",
    "............",
  ],
  purse: [
    "...kkkkkk...",
    "..kobbbbok..",
    "...kkkkkk...",
    "...koook....",
    "..koooook...",
    ".koooyyook..",
    "koooykkyook.",
    "kooykooookok",
    "koooykkyoook",
    "koooookkyook",
    ".kooyyyyoodk",
    "..kkkkkkkkk.",
  ],
  search: [
    "..kkkkk.....",
    ".kwwwwwk....",
    "kwbbbbbwk...",
    "kwbwbbbwk...",
    "kwbbbbbwk...",
    "kwbbbbbwk...",
    ".kwwwwwkk...",
    "..kkkkkookk.",
    "......kooook",
    ".......koook",
    "........kokk",
    ".........kk.",
  ],
  rosette: [
    "....kkkk....",
    "..kkyyyykk..",
    ".kyyyooyyyk.",
    ".kyyowwoyyk.",
    "kyyowwwwoyyk",
    "kyyowwwwoyyk",
    ".kyyowwoyyk.",
    ".kyyyooyyyk.",
    "..kkyyyykk..",
    "..krrkkrrk..",
    ".krrk..krrk.",
    ".kkk....kkk.",
  ],
} as const;

export type PictureName = keyof typeof PICTURES;

const SIZE = 12;

/** Runs of one colour, as one path for each colour. */
function pathsOf(name: PictureName): readonly (readonly [colour: string, path: string])[] {
  const paths = new Map<string, string>();
  for (const [y, row] of PICTURES[name].entries()) {
    for (const run of row.matchAll(/([a-z])\1*/g)) {
      const colour = COLOURS[run[1] ?? ""] ?? "none";
      paths.set(colour, `${paths.get(colour) ?? ""}M${run.index} ${y}h${run[0].length}v1h-${run[0].length}z`);
    }
  }
  return [...paths];
}

const drawn = new Map<PictureName, ReturnType<typeof pathsOf>>();

/** Shown at a whole multiple of 12 pixels, so that its pixels stay square. */
export function Picture({ name, times = 2 }: { name: PictureName; times?: number }) {
  let paths = drawn.get(name);
  if (!paths) {
    paths = pathsOf(name);
    drawn.set(name, paths);
  }
  return (
    <svg
      class="picture"
      viewBox={`0 0 ${SIZE} ${SIZE}`}
      width={SIZE * times}
      height={SIZE * times}
      shape-rendering="crispEdges"
      aria-hidden="true"
    >
      {paths.map(([colour, path]) => (
        <path key={colour} fill={colour} d={path} />
      ))}
    </svg>
  );
}
