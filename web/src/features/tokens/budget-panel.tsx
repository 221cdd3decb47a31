import { isData } from "../../client/protocol";
import type { Office } from "../../dashboard/office";
import { purseOf, usedOn } from "../../fleet/budgets";
import { pathOfAgent } from "../../page/route";
import { Gauge } from "../../parts/gauge";
import type { FleetState } from "../../state";
import { ago, moment } from "../../words/age";
import { textOf } from "../../words/agent-words";
import { dollars, span } from "../../words/figures";
import { levelOf } from "../../words/level";

const LEVEL_WORDS = { fine: "within", warn: "▲ nearly spent", critical: "▲ all spent" } as const;

/** The budgets of the day as gauges, and the thresholds that were crossed. */
export function BudgetPanel({ office, fleet }: { office: Office; fleet: FleetState }) {
  const budgets = office.budgetReader.budgets.value;
  const now = office.live.now.value;
  const crossed = Object.entries(fleet.tokens.thresholds).filter(([, told]) => isData(told));
  const limits: readonly (readonly [string | null, number])[] = budgets
    ? [...(budgets.fleet === null ? [] : [[null, budgets.fleet] as const]), ...Object.entries(budgets.agents)]
    : [];
  return (
    <section class="budgets" aria-labelledby="budgets-title">
      <h3 id="budgets-title">Budgets of the day</h3>
      {limits.length === 0 && (
        <p class="column-note">
          {budgets === null
            ? "Not known yet."
            : "None is set: budgets.daily and budgets.agents in the settings make one."}
        </p>
      )}
      <ul class="budget-list">
        {limits.map(([agent, budget]) => {
          const spent = usedOn(fleet, office.today.value, agent ?? undefined).cost;
          const purse = purseOf(budget, spent, now);
          const level = levelOf(purse.percent);
          const name = agent === null ? "The fleet" : office.live.nameOf(agent);
          return (
            <li key={agent ?? ""} class={`budget ${level}`}>
              <b>
                {agent === null ? (
                  name
                ) : (
                  <a href={pathOfAgent(agent)} dir="auto">
                    {name}
                  </a>
                )}
              </b>
              <Gauge percent={purse.percent} label={`${name} has spent`} />
              <span class="budget-words">
                {dollars(spent)} of {dollars(budget)}, {Math.round(purse.percent)} %: {LEVEL_WORDS[level]}
                {level !== "critical" &&
                  purse.hoursLeft !== null &&
                  (purse.lastsToday ? ", lasts the day" : `, gone in ${span(purse.hoursLeft)} at this pace`)}
              </span>
            </li>
          );
        })}
      </ul>
      {crossed.length > 0 && (
        <>
          <h4>Thresholds crossed</h4>
          <ul class="crossed">
            {crossed.map(([who, told]) => {
              const time = moment(told.updated);
              const name = who === "fleet" ? "The fleet" : office.live.nameOf(who);
              const alert = textOf(told.alert) ?? "info";
              return (
                <li key={who} class={`event ${alert}`}>
                  <span>
                    <b>
                      <span aria-hidden="true">▲</span> {alert === "critical" ? "Critical:" : "Warning:"}
                    </b>{" "}
                    <span dir="auto">{name}</span> had spent {sum(told.currentCost)} of {sum(told.threshold)}{" "}
                    {time !== null && <small>{ago(time, now)}</small>}
                  </span>
                </li>
              );
            })}
          </ul>
        </>
      )}
    </section>
  );
}

function sum(value: unknown): string {
  return typeof value === "number" ? dollars(value) : "an unknown sum";
}
