import { Gauge } from "../../parts/gauge";
import { whole } from "../../words/figures";
import type { Scoring } from "./scoring";

const MOST_CATEGORIES = 6;

/** How the leads score: how many of each tier, and the averages by category. */
export function ScoreSummary({ scoring: { tiers, average, categories } }: { scoring: Scoring }) {
  const tiered = [...tiers].some(([, count]) => count > 0);
  if (average === null && !tiered) {
    return null;
  }
  return (
    <section class="score-summary" aria-label="Scores">
      {tiered && (
        <p class="tiers">
          {[...tiers].map(([tier, count]) => (
            <span key={tier}>
              <span class={`priority ${tier}`}>{tier}</span> {whole(count)}
            </span>
          ))}
        </p>
      )}
      {average !== null && (
        <p>
          <b>{average.toFixed(1)}</b> on average
        </p>
      )}
      {categories.length > 0 && (
        <dl class="categories">
          {categories.slice(0, MOST_CATEGORIES).map(({ name, average: value }) => (
            <div key={name}>
              <dt dir="auto">{name}</dt>
              <dd>
                {value.toFixed(1)}{" "}
                <Gauge percent={Math.min(100, Math.max(0, value))} label={name} level="fine" />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
