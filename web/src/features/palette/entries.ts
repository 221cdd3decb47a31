/** What the palette offers, and how it is found. */

import type { Data } from "../../client/protocol";
import { hostOf, hostsOf, namesOf } from "../../fleet/hosts";
import { STATUS_WORDS, type Task } from "../../fleet/task";
import { PLACES, pathOfAgent, pathOfLedger, pathOfTask } from "../../page/route";
import type { PictureName } from "../../parts/picture";
import type { Agent } from "../../state";
import { textOf } from "../../words/agent-words";

export interface Entry {
  readonly key: string;
  readonly title: string;
  /** What it is, in a word or two. */
  readonly detail: string;
  /** A picture of it, or the id of the agent whose face stands next to it. */
  readonly picture?: PictureName | undefined;
  readonly face?: string;
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
    picture: view,
    act: () => actions.go(path),
  }));
  const view = (key: string, title: string, picture: PictureName, path: string) => ({
    key,
    title,
    detail: "view",
    picture,
    act: () => actions.go(path),
  });
  const action = (key: string, title: string, picture: PictureName, act: (() => void) | null) => ({
    key,
    title,
    detail: "action",
    picture,
    act,
  });
  const others = [
    view("ledger", "Ledger of the day", "rosette", pathOfLedger(null)),
    view("search", "Search what has happened", "search", "/search"),
    view("logs", "Logs: what has happened, in sentences", "events", "/logs"),
    view("archive", "Conversations of the agents", "events", "/archive"),
    view("questions", "Questions", "events", "/questions"),
    view("opportunities", "Opportunities", "leads", "/opportunities"),
    action("new-task", "New task", "tasks", actions.newTask),
    action("theme", "Switch between day and night office", "settings", actions.switchTheme),
    action("dismiss", "Dismiss all alerts", "alerts", actions.dismissAlerts),
    action("pause", "Pause or resume the list of events", "events", actions.pause),
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
    face: agent.id,
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
        picture: "tasks",
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
