/** Records by id, and the two nouns that are nothing more than that: tasks and leads. */

import { type Data, isData, type LogEvent } from "../client/protocol";
import { MAX_LEADS, MAX_RECORD_BYTES, MAX_TASKS } from "./limits";
import { idIn, inTextOrder, listIn, numberIn, placeOf, sizeOf, textIn, timeOf } from "./values";

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
const MOST = { task: MAX_TASKS, lead: MAX_LEADS } as const;

export function inOrder<Kind extends Item>(records: ReadonlyMap<string, Kind>): Kind[] {
  return [...records.values()].sort((a, b) => inTextOrder(a.id, b.id));
}

export function byId<Kind extends Item>(records: readonly Kind[]): Map<string, Kind> {
  return new Map(records.map((record) => [record.id, record]));
}

/** Add or replace a record, unless it is one too many, or too large. */
export function put<Kind extends Item>(records: Map<string, Kind>, most: number, record: Kind): void {
  const full = records.size >= most && !records.has(record.id);
  if (!full && sizeOf(record) <= MAX_RECORD_BYTES) {
    records.set(record.id, record);
  }
}

export function itemsIn(noun: Noun, told: unknown): Item[] {
  const items = new Map<string, Item>();
  for (const item of listIn(told)) {
    add(items, noun, item, null);
  }
  return inOrder(items);
}

function add(items: Map<string, Item>, noun: Noun, item: unknown, event: LogEvent | null): void {
  const id = isData(item) ? idIn(...ID_NAMES[noun].map((name) => item[name])) : null;
  if (isData(item) && id !== null) {
    put(items, MOST[noun], { ...(event === null ? {} : placeOf(id, event)), ...item, id });
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
  put(items, MOST[noun], { ...changed, id: old.id });
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
          add(items, noun, item, event);
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
  ["task:created", (tasks, data, event) => add(tasks, "task", data.task, event)],
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
  ["lead:added", (leads, data, event) => add(leads, "lead", data.lead, event)],
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
