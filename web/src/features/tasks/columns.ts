/** The board: which task stands in which column, found, sorted and capped. */

import { PRIORITIES, type Priority, type Status, type Task, UNASSIGNED } from "../../fleet/task";

export interface Column {
  /** The status that a task gets by being moved here. */
  readonly status: Status;
  readonly title: string;
  /** Everything that stands here. */
  readonly holds: readonly Status[];
  readonly sign: string;
}

export const COLUMNS: readonly Column[] = [
  { status: "pending", title: "Pending", holds: ["pending"], sign: "○" },
  { status: "in_progress", title: "In progress", holds: ["in_progress", "delegated"], sign: "▶" },
  { status: "review", title: "Review", holds: ["review"], sign: "◉" },
  { status: "blocked", title: "Blocked", holds: ["blocked"], sign: "!" },
  { status: "completed", title: "Completed", holds: ["completed"], sign: "✓" },
  { status: "failed", title: "Failed", holds: ["failed", "cancelled"], sign: "✕" },
];

export interface Search {
  readonly text: string;
  /** An agent's id, `UNASSIGNED`, or empty for all. */
  readonly agent: string;
  readonly priority: Priority | "";
  /** Empty for all. */
  readonly host: string;
}

export const EVERYTHING: Search = { text: "", agent: "", priority: "", host: "" };

/** How many cards a column shows until somebody asks for more. */
export const MOST_CARDS = 40;

export interface Stack {
  readonly column: Column;
  /** The first of them, in the order in which they stand. */
  readonly tasks: readonly Task[];
  /** Of all, also those that are not shown. */
  readonly count: number;
}

export function matching(tasks: readonly Task[], { text, agent, priority, host }: Search): readonly Task[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && agent === "" && priority === "" && host === "") {
    return tasks;
  }
  return tasks.filter(
    (task) =>
      (agent === "" || (task.assignedTo ?? UNASSIGNED) === agent) &&
      (priority === "" || task.priority === priority) &&
      (host === "" || task.host === host) &&
      words.every((word) => task.words.includes(word)),
  );
}

export function stacksOf(tasks: readonly Task[], caps: ReadonlyMap<Status, number>): readonly Stack[] {
  const held = new Map<Status, Task[]>();
  for (const task of tasks) {
    const list = held.get(task.status);
    if (list) {
      list.push(task);
    } else {
      held.set(task.status, [task]);
    }
  }
  return COLUMNS.map((column) => {
    const all = column.holds.flatMap((status) => held.get(status) ?? []);
    const over = column.status === "completed" || column.status === "failed";
    all.sort(over ? byUpdate : byUrgency);
    return { column, tasks: all.slice(0, caps.get(column.status) ?? MOST_CARDS), count: all.length };
  });
}

export function columnOf(status: Status): number {
  return COLUMNS.findIndex(({ holds }) => holds.includes(status));
}

/** The most urgent first, and of those the oldest. */
function byUrgency(a: Task, b: Task): number {
  const rank = PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority);
  return rank || compare(a.record.created, b.record.created) || compare(a.id, b.id);
}

/** What is over: the latest first. */
function byUpdate(a: Task, b: Task): number {
  return compare(b.record.updated, a.record.updated) || compare(b.id, a.id);
}

function compare(a: unknown, b: unknown): number {
  const [left, right] = [String(a ?? ""), String(b ?? "")];
  return left < right ? -1 : left > right ? 1 : 0;
}
