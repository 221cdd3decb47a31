import type { ComponentChildren } from "preact";
import type { UseRow } from "../../fleet/use";
import { dollars, short, whole } from "../../words/figures";

interface UseTableProps {
  readonly title: string;
  readonly noun: string;
  readonly rows: readonly UseRow[];
  readonly name: (row: UseRow) => ComponentChildren;
  readonly most?: number;
}

const MOST_ROWS = 50;

/** Who or what used how much, with where its cost comes from. */
export function UseTable({ title, noun, rows, name, most = MOST_ROWS }: UseTableProps) {
  const highest = Math.max(...rows.slice(0, most).map(({ cost }) => cost), 1e-9);
  return (
    <section class="use">
      <h3>{title}</h3>
      {rows.length === 0 ? (
        <p class="column-note">Nothing here has these words.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must take the focus
        <section class="table-room" tabIndex={0} aria-label={title}>
          <table>
            <thead>
              <tr>
                <th scope="col">{noun}</th>
                <th scope="col" class="number">
                  Cost
                </th>
                <th scope="col" class="number">
                  Tokens
                </th>
                <th scope="col" class="number wide">
                  Calls
                </th>
                <th scope="col" class="wide">
                  Cost from
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, most).map((row) => (
                <tr key={row.id}>
                  <th scope="row">{name(row)}</th>
                  <td class="number">
                    {dollars(row.cost)}
                    <progress class="share" max={highest} value={row.cost} aria-hidden="true" />
                  </td>
                  <td
                    class="number"
                    title={`${whole(row.input)} in, ${whole(row.output)} out, ${whole(row.cached)} cached`}
                  >
                    {short(row.tokens)}
                  </td>
                  <td class="number wide">{whole(row.calls)}</td>
                  <td class="wide source">{row.sources.join(", ") || "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {rows.length > most && (
        <p class="column-note">and {whole(rows.length - most)} more: search to narrow</p>
      )}
    </section>
  );
}
