/** A task as the views show it; any field of its record but the id may be missing or of another shape. */

import { type Data, isData } from "../client/protocol";
import type { Item } from "../state";
import { moment } from "../words/age";
import { taskOf, textOf } from "../words/agent-words";
import { hostOf } from "./hosts";

export const STATUSES = [
  "pending",
  "in_progress",
  "delegated",
  "review",
  "blocked",
  "completed",
  "failed",
  "cancelled",
] as const;
export type Status = (typeof STATUSES)[number];

export const STATUS_WORDS: Readonly<Record<Status, string>> = {
  pending: "Pending",
  in_progress: "In progress",
  delegated: "Delegated",
  review: "Review",
  blocked: "Blocked",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

export const PRIORITIES = ["P0", "P1", "P2", "P3"] as const;
export type Priority = (typeof PRIORITIES)[number];

export const PRIORITY_WORDS: Readonly<Record<Priority, string>> = {
  P0: "critical",
  P1: "high",
  P2: "normal",
  P3: "low",
};

export interface Subtask {
  readonly id: string;
  readonly description: string;
  readonly completed: boolean;
}

export interface Task {
  readonly id: string;
  readonly description: string;
  readonly status: Status;
  readonly priority: Priority;
  readonly assignedTo: string | null;
  /** Where it lives, in a fleet on several hosts. */
  readonly host: string | null;
  readonly tags: readonly string[];
  readonly subtasks: readonly Subtask[];
  /** Everything it can be found by, in small letters. */
  readonly words: string;
  readonly record: Item;
}

/** What stands in a task that nobody has. */
export const UNASSIGNED = "Unassigned";

const known = new WeakMap<Item, Task>();

/** Records never change in place, so each is read once. */
export function taskFrom(record: Item): Task {
  let task = known.get(record);
  if (!task) {
    task = read(record);
    known.set(record, task);
  }
  return task;
}

function read(record: Item): Task {
  const description = taskOf({ ...record, id: null }) ?? "(no description)";
  const assignedTo = textOf(record.assignedTo);
  const tags = Array.isArray(record.tags) ? record.tags.filter((tag) => typeof tag === "string") : [];
  const words = [
    record.id,
    description,
    assignedTo ?? "",
    hostOf(record) ?? "",
    ...tags,
    textOf(record.notes) ?? "",
  ];
  return {
    id: record.id,
    description,
    status: STATUSES.find((status) => status === record.status) ?? "pending",
    priority: PRIORITIES.find((priority) => priority === record.priority) ?? "P2",
    assignedTo: assignedTo === UNASSIGNED ? null : assignedTo,
    host: hostOf(record),
    tags,
    subtasks: Array.isArray(record.subtasks) ? record.subtasks.filter(isData).map(subtaskFrom) : [],
    words: words.join(" ").toLowerCase(),
    record,
  };
}

function subtaskFrom(record: Data, place: number): Subtask {
  return {
    id: textOf(record.id) ?? String(place + 1),
    description: taskOf({ ...record, id: null }) ?? "(no description)",
    completed: record.completed === true || record.status === "completed",
  };
}

export function isOver({ status }: Task): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** When it should have been done, if that is past and it is not. */
export function overdueSince(task: Task, now: number): number | null {
  const due = moment(task.record.due);
  return due !== null && due < now && !isOver(task) ? due : null;
}
