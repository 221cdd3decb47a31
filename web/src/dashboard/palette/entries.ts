/** What the palette offers, and how it is found. */

import type { Data } from "../../client/protocol";
import type { Agent } from "../../client/state";
import { textOf } from "../agent-words";
import { hostOf, hostsOf, namesOf } from "../hosts";
import { PLACES, pathOfAgent, pathOfLedger, pathOfTask } from "../route";
import { STATUS_WORDS, type Task } from "../tasks/task";

export interface Entry {
  readonly key: string;
  readonly title: string;
  /** What it is, in a word or two. */
  readonly detail: string;
  readonly act: () => void;
}

const MOST_FOUND = 12;

export interface Actions {
  readonly go: (path: string) => void;
  readonly pause: (() => void) | null;
  readonly dismissAlerts: (() => void) | null;
  readonly switchTheme: () => void;
  readonly newTask: () => void;
}

export function actionEntries(actions: Actions): readonly Entry[] {
  const places = PLACES.map(({ view, path, title }) => ({
    key: `view-${view}`,
    title,
    detail: "view",
    act: () => actions.go(path),
  }));
  const others = [
    { key: "ledger", title: "Ledger of the day", detail: "view", act: () => actions.go(pathOfLedger(null)) },
    { key: "search", title: "Search what has happened", detail: "view", act: () => actions.go("/search") },
    { key: "questions", title: "Questions", detail: "view", act: () => actions.go("/questions") },
    { key: "new-task", title: "New task", detail: "action", act: actions.newTask },
    {
      key: "theme",
      title: "Switch between day and night office",
      detail: "action",
      act: actions.switchTheme,
    },
    { key: "dismiss", title: "Dismiss all alerts", detail: "action", act: actions.dismissAlerts },
    { key: "pause", title: "Pause or resume the list of events", detail: "action", act: actions.pause },
  ];
  return [...places, ...others.flatMap(({ act, ...entry }) => (act ? [{ ...entry, act }] : []))];
}

/** The best first: titles that begin with what was typed, then words that do, then the rest that has it. */
export function findEntries(
  typed: string,
  actions: readonly Entry[],
  agents: readonly Agent[],
  tasks: readonly Task[],
  go: (path: string) => void,
): readonly Entry[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const [names, several] = [namesOf(agents), hostsOf(agents).length > 0];
  const homeOf = (record: Data) => (several ? hostOf(record) : null);
  const people = agents.map((agent) => ({
    key: `agent-${agent.id}`,
    title: names.get(agent.id) ?? agent.name,
    detail: ["agent", homeOf(agent), agent.status].filter((part) => part !== null).join(" · "),
    more: `${agent.id} ${homeOf(agent) ?? ""} ${textOf(agent.role) ?? ""} ${textOf(agent.codename) ?? ""}`.toLowerCase(),
    act: () => go(pathOfAgent(agent.id)),
  }));
  if (words.length === 0) {
    return [...actions, ...people].slice(0, MOST_FOUND);
  }
  const first = [...actions.map((entry) => ({ ...entry, more: "" })), ...people]
    .map((entry) => ({ entry, rank: rankOf(words, entry.title.toLowerCase(), entry.more) }))
    .filter(({ rank }) => rank !== null)
    .sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0))
    .map(({ entry }) => entry);
  const found: Entry[] = first.slice(0, MOST_FOUND);
  for (const task of tasks) {
    if (found.length >= MOST_FOUND) {
      break;
    }
    if (words.every((word) => task.words.includes(word))) {
      found.push({
        key: `task-${task.id}`,
        title: `${task.id} ${task.description}`,
        detail: ["task", homeOf(task.record), STATUS_WORDS[task.status].toLowerCase()]
          .filter((part) => part !== null)
          .join(" · "),
        act: () => go(pathOfTask(task.id)),
      });
    }
  }
  return found;
}

function rankOf(words: readonly string[], title: string, more: string): number | null {
  if (!words.every((word) => title.includes(word) || more.includes(word))) {
    return null;
  }
  const [first = ""] = words;
  if (title.startsWith(first)) {
    return 0;
  }
  return title.includes(` ${first}`) ? 1 : 2;
}
