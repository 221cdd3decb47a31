/** Records by id, and the two nouns that are nothing more than that: tasks and leads. */

import { type Data, isData, type LogEvent } from "../protocol";
import { idIn, listIn, numberIn, placeOf, textIn, timeOf } from "./values";

/** A task or a lead; its other fields are those of whoever wrote it. */
export interface Item extends Data {
  readonly id: string;
}

/** What records do with an event. The map is the caller's own; the records in it are never changed in place. */
export type TableFold<Kind extends Item = Item> = (
  records: Map<string, Kind>,
  data: Data,
  event: LogEvent,
) => void;

type Noun = "task" | "lead";

const ID_NAMES = { task: ["id"], lead: ["id", "leadId"] } as const;

export function inOrder<Kind extends Item>(records: ReadonlyMap<string, Kind>): Kind[] {
  return [...records.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

export function byId<Kind extends Item>(records: readonly Kind[]): Map<string, Kind> {
  return new Map(records.map((record) => [record.id, record]));
}

export function itemsIn(noun: Noun, told: unknown): Item[] {
  const items = new Map<string, Item>();
  for (const item of listIn(told)) {
    put(items, noun, item, null);
  }
  return inOrder(items);
}

function put(items: Map<string, Item>, noun: Noun, item: unknown, event: LogEvent | null): void {
  const id = isData(item) ? idIn(...ID_NAMES[noun].map((name) => item[name])) : null;
  if (isData(item) && id !== null) {
    items.set(id, { ...(event === null ? {} : placeOf(id, event)), ...item, id });
  }
}

/** Lay fields over the record that an event names, on top of whatever else it says has changed. */
function change(items: Map<string, Item>, noun: Noun, data: Data, fields: Data): void {
  const old = items.get(idIn(data[`${noun}Id`]) ?? "");
  if (!old) {
    return;
  }
  const changed: Record<string, unknown> = {
    ...old,
    ...(isData(data.updates) ? data.updates : {}),
    ...fields,
  };
  for (const name of listIn(data.removed)) {
    if (typeof name === "string") {
      delete changed[name];
    }
  }
  items.set(old.id, { ...changed, id: old.id });
}

function commonFolds(noun: Noun): [string, TableFold][] {
  return [
    [
      `${noun}:updated`,
      (items, data) => {
        if (isData(data.updates)) {
          change(items, noun, data, {});
        }
      },
    ],
    [
      "state:baseline",
      (items, data, event) => {
        for (const item of listIn(data[`${noun}s`])) {
          put(items, noun, item, event);
        }
      },
    ],
  ];
}

function remove(noun: Noun): TableFold {
  return (items, data) => {
    items.delete(idIn(data[`${noun}Id`]) ?? "");
  };
}

export const TASK_FOLDS: ReadonlyMap<string, TableFold> = new Map<string, TableFold>([
  ...commonFolds("task"),
  ["task:created", (tasks, data, event) => put(tasks, "task", data.task, event)],
  [
    "task:completed",
    (tasks, data, event) => {
      const alone = { result: data.result ?? null, completedAt: timeOf(data, event) };
      change(tasks, "task", data, { status: "completed", ...(isData(data.updates) ? {} : alone) });
    },
  ],
  [
    "task:assigned",
    (tasks, data) => {
      const by = isData(data.updates) ? null : textIn(data.assignedBy);
      const fields = { assignedTo: idIn(data.agentId), ...(by === null ? {} : { assignedBy: by }) };
      change(tasks, "task", data, fields);
    },
  ],
  ["task:deleted", remove("task")],
]);

export const LEAD_FOLDS: ReadonlyMap<string, TableFold> = new Map<string, TableFold>([
  ...commonFolds("lead"),
  ["lead:added", (leads, data, event) => put(leads, "lead", data.lead, event)],
  [
    "lead:scored",
    (leads, data) => {
      const score = numberIn(data.score);
      const previousScore = numberIn(data.previousScore);
      const alone = {
        ...((data.factors ?? null) === null ? {} : { factors: data.factors }),
        ...(previousScore === null ? {} : { previousScore }),
      };
      if (score !== null) {
        change(leads, "lead", data, { score, ...(isData(data.updates) ? {} : alone) });
      }
    },
  ],
  ["lead:removed", remove("lead")],
]);
