import { hueOf } from "../words/agent-words";
import { Face } from "./face";

/** How many pixels of the screen one pixel of a face is. */
const SCALES = { small: 1, middle: 2, large: 5 };

/** An agent's face, as it is on the floor; the name stands next to it, so it says nothing to a screen reader. */
export function Portrait({ id, size = "middle" }: { id: string; size?: keyof typeof SCALES }) {
  return (
    <span class={`portrait hue-${hueOf(id)} ${size}`} aria-hidden="true">
      <Face id={id} scale={SCALES[size]} />
    </span>
  );
}
