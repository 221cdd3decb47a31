import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { type Data, isData } from "../../client/protocol";
import type { Office } from "../../dashboard/office";
import { pathOfAgent, pathOfSession } from "../../page/route";
import { Picture, type PictureName } from "../../parts/picture";
import type { FleetState } from "../../state";
import { ago, moment } from "../../words/age";
import { textOf } from "../../words/agent-words";
import { isolated } from "../../words/direction";
import { dollars, short, whole } from "../../words/figures";
import "../../styles/tokens.css";
import { usedOn } from "../../fleet/budgets";
import { lastDays, type UseRow, useRow, useRows } from "../../fleet/use";
import { SearchField } from "../../parts/search-field";
import { BudgetPanel } from "./budget-panel";
import { DayChart, type Measure } from "./day-chart";
import { RunawayList } from "./runaway-list";
import { UseTable } from "./use-table";

const DAYS = 14;
const NO_DAYS: Data = {};

export function TokensView({ office }: { office: Office }) {
  const fleet = office.live.fleet.value;
  return (
    <section class="panel tokens" aria-labelledby="tokens-title">
      <h2 id="tokens-title" class="ribbon">
        Tokens
      </h2>
      {fleet === null ? (
        <p class="empty">{office.live.waitingWord.value}</p>
      ) : Object.keys(fleet.tokens.agents).length === 0 ? (
        <NoUse office={office} />
      ) : (
        <Use office={office} fleet={fleet} />
      )}
    </section>
  );
}

function Use({ office, fleet }: { office: Office; fleet: FleetState }) {
  const { live, settings } = office;
  const search = useSignal("");
  const measure = useSignal<Measure>("cost");
  const { tokens } = fleet;
  const today = office.today.value;
  const used = usedOn(fleet, today);
  const charted = useSignal("");
  const mine = tokens.agents[charted.value]?.days;
  const byDay = charted.value === "" ? tokens.days : isData(mine) ? mine : NO_DAYS;
  const days = useMemo(() => lastDays(byDay, today, DAYS), [byDay, today]);
  const newest = Object.values(tokens.agents)
    .map(({ updated }) => moment(updated) ?? 0)
    .reduce((a, b) => Math.max(a, b), 0);
  const wanted = (row: UseRow, ...more: readonly (string | null)[]) =>
    [row.id, ...more].join(" ").toLowerCase().includes(search.value.trim().toLowerCase());
  const agents = useRows(tokens.agents).filter((row) => wanted(row, live.nameOf(row.id)));
  const sessions = tokens.sessions
    .map((session) => useRow(session.id, session))
    .filter((row) => wanted(row, textOf(row.record.agent), textOf(row.record.model)));
  const unpriced = office.budgetReader.unpriced.value;
  return (
    <>
      <dl class="totals">
        <Total
          picture="purse"
          word="Spent today"
          value={dollars(used.cost)}
          detail={`${whole(used.tokens)} in all`}
        />
        <Total
          picture="tokens"
          word="Used today"
          value={short(used.tokens)}
          detail="input, output and cached"
        />
        <Total
          picture="purse"
          word="Spent in all"
          value={dollars(tokens.total.cost)}
          detail="since counting began"
        />
        <Total
          picture="tokens"
          word="Used in all"
          value={short(tokens.total.tokens)}
          detail={whole(tokens.total.tokens)}
        />
      </dl>
      <p class="freshness">
        {newest ? `Counted from the agents’ transcripts, last ${ago(newest, live.now.value)}.` : ""} Days are
        those of the server.
      </p>
      <BudgetPanel office={office} fleet={fleet} />
      <RunawayList office={office} fleet={fleet} />
      <section class="chart" aria-labelledby="chart-title">
        <h3 id="chart-title">By day</h3>
        <fieldset class="measure" aria-label="What the chart shows">
          <select
            aria-label="Of whom"
            value={charted.value}
            onChange={(event) => {
              charted.value = event.currentTarget.value;
            }}
          >
            <option value="">The fleet</option>
            {Object.keys(tokens.agents)
              .sort()
              .map((id) => (
                <option key={id} value={id}>
                  {live.nameOf(id)}
                </option>
              ))}
          </select>
          {(["cost", "tokens"] as const).map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={measure.value === one}
              onClick={() => {
                measure.value = one;
              }}
            >
              {one === "cost" ? "Cost" : "Tokens"}
            </button>
          ))}
        </fieldset>
        <DayChart days={days} measure={measure.value} night={settings.night.value} />
        <details class="raw">
          <summary>As a table</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">Day</th>
                <th scope="col" class="number">
                  Cost
                </th>
                <th scope="col" class="number">
                  Tokens
                </th>
              </tr>
            </thead>
            <tbody>
              {[...days].reverse().map((day) => (
                <tr key={day.day}>
                  <th scope="row">{day.day}</th>
                  <td class="number">{dollars(day.cost)}</td>
                  <td class="number">{whole(day.tokens)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      </section>
      {unpriced.length > 0 && (
        <section class="unpriced">
          <h3>Without a price</h3>
          <p>
            No price is known of these models. What they use is counted, and costs nothing here: what you pay
            is more than what stands above.
          </p>
          <ul class="tags">
            {unpriced.map((model) => (
              <li key={model} class="tag" dir="auto">
                {model}
              </li>
            ))}
          </ul>
        </section>
      )}
      <search class="table-search">
        <SearchField
          label="Search agents, models and sessions"
          placeholder="Search: an agent, a model, a session"
          text={search.value}
          search={(text) => {
            search.value = text;
          }}
        />
      </search>
      <div class="tables">
        <UseTable
          title="By agent"
          noun="Agent"
          rows={agents}
          name={({ id }) => (
            <a href={pathOfAgent(id)} dir="auto">
              {live.nameOf(id)}
            </a>
          )}
        />
        <UseTable
          title="By model"
          noun="Model"
          rows={useRows(tokens.models).filter((row) => wanted(row))}
          name={({ id }) => <span dir="auto">{id}</span>}
        />
        <UseTable
          title="By session, the newest first"
          noun="Session"
          rows={sessions}
          most={30}
          name={({ id, record }) => (
            <>
              <a href={pathOfSession(id)} dir="auto">
                {id}
              </a>{" "}
              <small>
                {[textOf(record.model), textOf(record.runtime)]
                  .flatMap((word) => (word === null ? [] : isolated(word)))
                  .join(", ")}
                {sessionAge(record.updated, live.now.value)}
              </small>
            </>
          )}
        />
      </div>
    </>
  );
}

function sessionAge(updated: unknown, now: number): string {
  const time = moment(updated);
  return time === null ? "" : ` · ${ago(time, now)}`;
}

interface TotalProps {
  readonly word: string;
  readonly value: string;
  readonly detail: string;
  readonly picture: PictureName;
}

function Total({ word, value, detail, picture }: TotalProps) {
  return (
    <div class="total">
      <dt>
        <Picture name={picture} times={3} /> {word}
      </dt>
      <dd>
        <b>{value}</b> <small>{detail}</small>
      </dd>
    </div>
  );
}

function NoUse({ office }: { office: Office }) {
  const trouble = office.budgetReader.trouble.value;
  return (
    <div class="empty">
      <p>
        No use has been counted yet. It is read from what the agents’ runtimes leave behind: the transcripts
        of OpenClaw, Claude Code and Codex. As soon as one of them calls a model, its cost stands here.
      </p>
      <pre>{`[sources]\nopenclaw = "auto"   # or the path of its state folder\nclaude = "auto"     # ~/.claude/projects\ncodex = "auto"      # ~/.codex/sessions`}</pre>
      {trouble !== null && <p role="alert">{trouble}</p>}
    </div>
  );
}
