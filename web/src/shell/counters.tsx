import type { Office } from "../dashboard/office";
import { purseOf, usedOn } from "../fleet/budgets";
import { pathOfLedger } from "../page/route";
import { Gauge } from "../parts/gauge";
import { Picture } from "../parts/picture";
import { calendarDay } from "../words/calendar";
import { dollars, short, span, whole } from "../words/figures";
import { levelOf } from "../words/level";

/** The time, by the minute. */
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

export function Calendar({ office }: { office: Office }) {
  const now = office.live.now.value;
  const { month, week, weekday, day, date } = calendarDay(now);
  return (
    <a class="calendar" href={pathOfLedger(null)} title={`${date}: the day's ledger`}>
      <span class="calendar-day">
        <abbr title="month">M</abbr>
        {month} <abbr title="week of the month">W</abbr>
        {week} {weekday}
        <span class="calendar-date"> {day}</span>
      </span>
      <time dateTime={new Date(now).toISOString().slice(0, 16)}>{TIME.format(now)}</time>
    </a>
  );
}

/** What is left to spend today, and how long it lasts. */
export function PurseCounter({ office }: { office: Office }) {
  const fleet = office.live.fleet.value;
  const budgets = office.budgetReader.budgets.value;
  const used = fleet && usedOn(fleet, office.today.value);
  const spent = used?.cost ?? 0;
  const purse =
    used && budgets && budgets.fleet !== null ? purseOf(budgets.fleet, spent, office.live.now.value) : null;
  return (
    <a
      class={purse ? `counter purse ${levelOf(purse.percent)}` : "counter purse"}
      data-landing="purse"
      href="/tokens"
    >
      <Picture name="purse" />
      <span class="counter-words">
        <b>{used === null ? "–" : purse ? `${dollars(purse.left)} left` : dollars(spent)}</b>
        <small>
          {used === null ? "not known yet" : purse ? lastingWord(purse) : "spent today, no budget"}
        </small>
      </span>
      {purse && <Gauge percent={purse.percent} label={`Spent of ${dollars(purse.budget)} today`} />}
    </a>
  );
}

function lastingWord({ left, budget, hoursLeft, lastsToday }: ReturnType<typeof purseOf>): string {
  if (left <= 0) {
    return `all ${dollars(budget)} spent`;
  }
  return lastsToday || hoursLeft === null ? "lasts the day" : `${span(hoursLeft)} at this pace`;
}

export function TokenCounter({ office }: { office: Office }) {
  const fleet = office.live.fleet.value;
  const used = fleet && usedOn(fleet, office.today.value);
  return (
    <a
      class="counter coins"
      data-landing="tokens"
      href="/tokens"
      title={used ? `${whole(used.tokens)} today` : ""}
    >
      <Picture name="tokens" />
      <span class="counter-words">
        <b>{used ? short(used.tokens) : "–"}</b>
        <small>Tokens today</small>
      </span>
    </a>
  );
}

export function CrewCounter({ office }: { office: Office }) {
  const agents = office.live.fleet.value?.agents;
  const busy = agents?.filter(({ kind }) => kind === "busy").length;
  return (
    <a class="counter crew" href="/">
      <Picture name="floor" />
      <span class="counter-words">
        <b>{agents ? `${busy} / ${agents.length}` : "–"}</b>
        <small>busy of all</small>
      </span>
    </a>
  );
}

/** The bell: how many things need a person, and, opened, which. */
export function Bell({ office }: { office: Office }) {
  const needs = office.needs.value;
  const known = office.live.fleet.value !== null;
  return (
    <a class={`counter bell${needs.length ? " ringing" : ""}`} data-landing="bell" href="/alerts">
      <Picture name="alerts" />
      <span class="counter-words">
        <b>{known ? needs.length : "–"}</b>
        <small>{needs.length === 1 ? "needs you" : "need you"}</small>
      </span>
    </a>
  );
}
