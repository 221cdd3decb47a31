/** The board: cards that are dragged, or moved by keys: arrows go, Shift and an arrow move the card, M opens its menu. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { STATUS_WORDS, type Status, type Task } from "../../fleet/task";
import { counted, whole } from "../../words/figures";
import { COLUMNS, type Column, columnOf, MOST_CARDS, type Stack, stacksOf } from "./columns";
import { MoveMenu } from "./move-menu";
import { TaskCard } from "./task-card";

const MORE_CARDS = 200;

interface BoardProps {
  readonly office: Office;
  readonly tasks: readonly Task[];
  /** Who has just claimed which task. */
  readonly claims: ReadonlyMap<string, string>;
  readonly searched: boolean;
  /** How many completed tasks are in the file's history alone. */
  readonly archived: number;
}

export function Board({ office, tasks, claims, searched, archived }: BoardProps) {
  const caps = useSignal<ReadonlyMap<Status, number>>(new Map());
  const focused = useSignal<string | null>(null);
  const dragged = useSignal<string | null>(null);
  const moving = useSignal<string | null>(null);
  const said = useSignal("");
  const board = useRef<HTMLDivElement>(null);
  /** The card that was moved by key: it goes on having the focus, wherever it is drawn again. */
  const kept = useRef<string | null>(null);
  const stacks = useMemo(() => stacksOf(tasks, caps.value), [tasks, caps.value]);
  /** A card that does not change is not drawn again, and keeps its old functions: they ask here how it stands. */
  const standing = useRef(stacks);
  standing.current = stacks;

  useLayoutEffect(() => {
    if (kept.current !== null && document.activeElement === document.body) {
      focusCard(kept.current);
    }
  });

  function focusCard(id: string): void {
    board.current?.querySelector<HTMLElement>(`[data-task="${CSS.escape(id)}"] a`)?.focus();
  }

  async function move(task: Task, status: Status): Promise<void> {
    if (status !== task.status) {
      said.value = `${task.id} goes to ${STATUS_WORDS[status]}.`;
      const refusal = await office.queue.change(task.id, { status });
      said.value =
        refusal === null
          ? `${task.id} is now in ${STATUS_WORDS[status]}.`
          : `${task.id} was not moved: ${refusal}`;
    }
  }

  function press(event: KeyboardEvent, task: Task): void {
    const place = columnOf(task.status);
    const across = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    const down = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.shiftKey && across !== 0) {
      event.preventDefault();
      const column = COLUMNS[place + across];
      if (column) {
        kept.current = task.id;
        void move(task, column.status);
      }
    } else if (event.key.toLowerCase() === "m") {
      event.preventDefault();
      kept.current = task.id;
      moving.value = task.id;
    } else if (across !== 0 || down !== 0) {
      event.preventDefault();
      kept.current = null;
      const next = nextCard(standing.current, task.id, across, down);
      if (next) {
        focusCard(next.id);
      }
    }
  }

  function drop(event: DragEvent, column: Column): void {
    event.preventDefault();
    const task = tasks.find(({ id }) => id === dragged.peek());
    dragged.value = null;
    if (task && !column.holds.includes(task.status)) {
      void move(task, column.status);
    }
  }

  const menuTask = moving.value === null ? null : (tasks.find(({ id }) => id === moving.value) ?? null);
  if (tasks.length === 0) {
    return searched ? (
      <p class="empty">
        No task has all of these words. Search for less, or choose all agents and priorities.
      </p>
    ) : (
      <NoTasks office={office} />
    );
  }
  return (
    <>
      <p class="unseen" role="status">
        {said.value}
      </p>
      <p class="unseen" id="board-keys">
        Arrow keys go from card to card. Shift with the left or right arrow moves the card to the next column.
        M opens its menu.
      </p>
      {/* Scrolls, so the keyboard has to reach it: its cards do that. */}
      <div class="board" ref={board}>
        {stacks.map((stack) => (
          <section
            key={stack.column.status}
            class={dragged.value !== null ? "column open" : "column"}
            aria-labelledby={`column-${stack.column.status}`}
            data-column={stack.column.status}
            onDragOver={(event) => event.preventDefault()}
            onDrop={(event) => drop(event, stack.column)}
          >
            <h3 id={`column-${stack.column.status}`}>
              <span aria-hidden="true">{stack.column.sign}</span> {stack.column.title}{" "}
              <span class="count">{whole(stack.count)}</span>
            </h3>
            <ol aria-labelledby={`column-${stack.column.status}`}>
              {stack.tasks.map((task, place) => (
                <TaskCard
                  key={task.id}
                  task={task}
                  home={stack.column.status}
                  live={office.live}
                  host={office.live.hostOf(task.record)}
                  holder={
                    task.assignedTo === null ? null : office.live.nameBeside(task.assignedTo, task.host)
                  }
                  claimedBy={claims.get(task.id) ?? null}
                  reached={isIn(stack, focused.value) ? task.id === focused.value : place === 0}
                  onFocus={() => {
                    focused.value = task.id;
                  }}
                  onKeyDown={(event) => press(event, task)}
                  onDrag={(id) => {
                    dragged.value = id;
                  }}
                  onMenu={() => {
                    moving.value = task.id;
                  }}
                />
              ))}
            </ol>
            <Rest
              stack={stack}
              archived={stack.column.status === "completed" && !searched ? archived : 0}
              onMore={() => {
                const { status } = stack.column;
                const cap = (caps.peek().get(status) ?? MOST_CARDS) + MORE_CARDS;
                caps.value = new Map(caps.peek()).set(status, cap);
              }}
            />
          </section>
        ))}
      </div>
      {menuTask && (
        <MoveMenu
          task={menuTask}
          agents={office.live.fleet.value?.agents ?? []}
          onMove={(status) => void move(menuTask, status)}
          onChange={(fields) => void office.queue.change(menuTask.id, fields)}
          onClose={() => {
            moving.value = null;
            focusCard(menuTask.id);
          }}
        />
      )}
    </>
  );
}

function Rest({ stack, archived, onMore }: { stack: Stack; archived: number; onMore: () => void }) {
  const rest = stack.count - stack.tasks.length;
  if (stack.count === 0) {
    return <p class="column-note">{archived > 0 ? `${whole(archived)} in the history` : "Nothing here"}</p>;
  }
  return (
    <>
      {rest > 0 && (
        <p class="column-note">
          and {whole(rest)} more: search to narrow, or{" "}
          <button type="button" class="plain" onClick={onMore}>
            show {whole(Math.min(rest, MORE_CARDS))} more<span class="unseen"> of {stack.column.title}</span>
          </button>
        </p>
      )}
      {archived > 0 && <p class="column-note">and {whole(archived)} more in the history</p>}
    </>
  );
}

function NoTasks({ office }: { office: Office }) {
  const workspace = office.live.workspace.value ?? "WORKSPACE";
  return (
    <div class="empty">
      <p>
        No tasks yet. Add one with “New task”, let an agent add one, or write it into the queue’s file; all of
        them show up here within a second.
      </p>
      <pre>{`${workspace}/mission-control/TASK_QUEUE.json\n\n{"tasks": [{"id": "TASK-0001", "description": "…"}]}`}</pre>
      <p>{counted(0, "task")} in the queue.</p>
    </div>
  );
}

function isIn({ tasks }: Stack, id: string | null): boolean {
  return id !== null && tasks.some((task) => task.id === id);
}

/** The card next to another one: below or above it, or at the same height in the next column that has any. */
export function nextCard(stacks: readonly Stack[], id: string, across: number, down: number): Task | null {
  const column = stacks.findIndex((stack) => isIn(stack, id));
  const row = stacks[column]?.tasks.findIndex((task) => task.id === id) ?? -1;
  if (down !== 0) {
    return stacks[column]?.tasks[row + down] ?? null;
  }
  for (let place = column + across; place >= 0 && place < stacks.length; place += across) {
    const tasks = stacks[place]?.tasks ?? [];
    if (tasks.length > 0) {
      return tasks[Math.min(row, tasks.length - 1)] ?? null;
    }
  }
  return null;
}
