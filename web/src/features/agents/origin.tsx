/** Where a figure comes from, and how old it is. */
export function Origin({ from, age, stale = false }: { from: string; age: string; stale?: boolean }) {
  return (
    <p class={stale ? "origin stale" : "origin"}>
      from {from} · {stale ? <strong>{age}: may be out of date</strong> : age}
    </p>
  );
}
