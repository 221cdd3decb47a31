import { hueOf, initialsOf } from "./agent-words";

/** An agent's face; its name stands beside it, so it says nothing to a screen reader. */
export function Portrait({ id, name, large = false }: { id: string; name: string; large?: boolean }) {
  return (
    <span class={`portrait hue-${hueOf(id)}${large ? " large" : ""}`} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}
