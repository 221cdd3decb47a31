/** The day's ledger: what came in, what it cost, and the award. */

import { useSignalEffect } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { pathOfAgent, pathOfLead, pathOfLedger, pathOfTask } from "../../page/route";
import { Picture } from "../../parts/picture";
import { Portrait } from "../../parts/portrait";
import { clock, moment } from "../../words/age";
import { dollars, short, whole } from "../../words/figures";
import "../../styles/ledger.css";
import {
  type Award,
  balanceOf,
  dayAfter,
  type FinishedTask,
  type FoundLead,
  LEDGER_TYPES,
  type Ledger,
  LedgerReader,
  nameOfDay,
} from "../../fleet/ledger";
import { Gauge } from "../../parts/gauge";

const MOST_ROWS = 100;
/** What happens while the page is open is reckoned once in so many milliseconds. */
const AGAIN_MS = 1500;
/** Where each piece of the confetti begins, and when. */
const CONFETTI = Array.from({ length: 18 }, (_, piece) => ({
  background: ["#ef6a5a", "#ffd75e", "#6cc04f", "#5f97e6", "#9a7fd6", "#4fc0b0"][piece % 6] ?? "",
  left: `${4 + ((piece * 37) % 92)}%`,
  animationDelay: `${((piece * 23) % 90) / 100}s`,
}));

export function LedgerView({ office }: { office: Office }) {
  const { live, router } = office;
  const route = router.route.value;
  const chosen = route.view === "ledger" ? route.day : null;
  const day = chosen ?? (live.pastAt.value === null ? null : office.today.value);
  return <DayLedger key={day ?? "today"} office={office} day={day} stale={live.connection.value.stale} />;
}

function DayLedger({ office, day, stale }: { office: Office; day: string | null; stale: boolean }) {
  const { live } = office;
  const reader = useMemo(() => new LedgerReader(), []);
  useSignalEffect(() => {
    if (live.connection.value.stale) {
      return undefined;
    }
    void reader.read(day);
    let waiting = 0;
    const stop = live.follow((events) => {
      const known = reader.ledger.peek();
      if (waiting === 0 && !known?.over && events.some(({ type }) => LEDGER_TYPES.has(type))) {
        waiting = window.setTimeout(() => {
          waiting = 0;
          void reader.read(day);
        }, AGAIN_MS);
      }
    });
    return () => {
      stop();
      clearTimeout(waiting);
    };
  });

  const ledger = reader.ledger.value;
  const trouble = reader.trouble.value;
  const shown = ledger?.day ?? day ?? office.today.value;
  return (
    <section class="panel ledger" aria-labelledby="ledger-title">
      <h2 id="ledger-title" class="ribbon">
        Ledger
      </h2>
      <header class="ledger-day">
        <a href={pathOfLedger(dayAfter(shown, -1))} aria-label="The day before">
          ◀
        </a>
        <h3>{nameOfDay(shown)}</h3>
        {shown < office.today.value ? (
          <a href={pathOfLedger(dayAfter(shown, 1))} aria-label="The day after">
            ▶
          </a>
        ) : (
          <span class="so-far">so far</span>
        )}
      </header>
      {trouble !== null && !stale && (
        <div class="refusal" role="alert">
          <p>The ledger could not be read. {trouble}</p>
          <button type="button" onClick={() => void reader.read(day)}>
            Try again
          </button>
        </div>
      )}
      {ledger ? <Pages ledger={ledger} /> : trouble === null && <p class="empty">{live.waitingWord.value}</p>}
    </section>
  );
}

function Pages({ ledger }: { ledger: Ledger }) {
  const { tasks, leads, award } = ledger;
  return (
    <>
      <Known ledger={ledger} />
      <div class="ledger-pages">
        <section class="income" aria-labelledby="income-title">
          <h4 id="income-title">Income</h4>
          <Sum
            picture="tasks"
            figure={whole(tasks.length)}
            words={`${tasks.length === 1 ? "task" : "tasks"} finished`}
          />
          <TaskRows tasks={tasks} />
          <Sum
            picture="leads"
            figure={whole(leads.length)}
            words={`${leads.length === 1 ? "lead" : "leads"} found`}
          />
          <LeadRows leads={leads} />
        </section>
        <section class="expense" aria-labelledby="expense-title">
          <h4 id="expense-title">Expense</h4>
          <Sum picture="purse" figure={dollars(ledger.cost)} words="spent" />
          {ledger.budget > 0 && (
            <p class="ledger-budget">
              <Gauge percent={(ledger.cost / ledger.budget) * 100} label={`Of ${dollars(ledger.budget)}`} />{" "}
              of {dollars(ledger.budget)}
            </p>
          )}
          <Sum picture="tokens" figure={short(ledger.tokens)} words="tokens used" />
          <Shares ledger={ledger} />
        </section>
        <Medal award={award} over={ledger.over} />
      </div>
      <p class="balance">{balanceOf(ledger)}</p>
      <p class="column-note">
        Tasks and leads are counted from the events of the day, tokens and cost from the agents’ transcripts.
        Days are those of the server.
      </p>
    </>
  );
}

/** From when the log knows the day, where that is not its beginning. */
function Known({ ledger: { from, since } }: { ledger: Ledger }) {
  if (since === from) {
    return null;
  }
  const at = moment(since);
  return (
    <p class="ledger-known">
      {at === null
        ? "The log knows nothing of this day: tasks and leads are unknown. Tokens and cost are from the transcripts."
        : `The log knows this day from ${clock(at)} on: what was finished and found before is not counted.`}
    </p>
  );
}

type SumPicture = Parameters<typeof Picture>[0]["name"];

function Sum({ picture, figure, words }: { picture: SumPicture; figure: string; words: string }) {
  return (
    <p class="sum">
      <Picture name={picture} /> <b>{figure}</b> {words}
    </p>
  );
}

function TaskRows({ tasks }: { tasks: readonly FinishedTask[] }) {
  const rest = tasks.length - MOST_ROWS;
  return (
    <ul class="rows">
      {tasks.slice(0, MOST_ROWS).map(({ id, description, priority, agent, time }) => (
        <li key={id} class={priority === "P0" ? "urgent" : ""}>
          {agent ? (
            <Portrait id={agent} size="small" />
          ) : (
            <span class="portrait small nobody" aria-hidden="true" />
          )}
          <a href={pathOfTask(id)} dir="auto">
            {description}
          </a>
          {priority === "P0" && <span class="priority P0">P0</span>}
          <small>{clock(moment(time) ?? 0).slice(0, 5)}</small>
        </li>
      ))}
      {rest > 0 && <li class="column-note">and {whole(rest)} more</li>}
    </ul>
  );
}

function LeadRows({ leads }: { leads: readonly FoundLead[] }) {
  const rest = leads.length - MOST_ROWS;
  return (
    <ul class="rows">
      {leads.slice(0, MOST_ROWS).map(({ id, name, score }) => (
        <li key={id}>
          <a href={pathOfLead(id)} dir="auto">
            {name}
          </a>
          <small>{score === null ? "not scored" : `score ${Math.round(score)}`}</small>
        </li>
      ))}
      {rest > 0 && <li class="column-note">and {whole(rest)} more</li>}
    </ul>
  );
}

function Shares({ ledger: { agents } }: { ledger: Ledger }) {
  const spent = agents.filter(({ tokens, cost }) => tokens > 0 || cost > 0).sort((a, b) => b.cost - a.cost);
  return (
    <ul class="rows">
      {spent.slice(0, MOST_ROWS).map(({ agent, name, tokens, cost }) => (
        <li key={agent}>
          <Portrait id={agent} size="small" />
          <a href={pathOfAgent(agent)} dir="auto">
            {name}
          </a>
          <small>{short(tokens)}</small>
          <b class="cost-figure">{dollars(cost)}</b>
        </li>
      ))}
    </ul>
  );
}

function Medal({ award, over }: { award: Award | null; over: boolean }) {
  return (
    <section class="award" aria-labelledby="award-title">
      <h4 id="award-title">{over ? "Worker of the day" : "Ahead today"}</h4>
      {award === null ? (
        <p class="empty">
          {over
            ? "Nobody finished a task, so there is no award."
            : "The award goes to whoever finishes the most tasks."}
        </p>
      ) : (
        <>
          <div class="confetti" aria-hidden="true">
            {CONFETTI.map((style) => (
              <i key={style.left} style={style} />
            ))}
          </div>
          <div class="medal">
            <Portrait id={award.agent} size="large" />
            <Picture name="rosette" times={4} />
          </div>
          <p class="winner">
            <a href={pathOfAgent(award.agent)} dir="auto">
              {award.name}
            </a>
          </p>
          <p>
            {award.tasks === 1 ? "1 task" : `${award.tasks} tasks`} for {dollars(award.cost)}
          </p>
        </>
      )}
    </section>
  );
}
