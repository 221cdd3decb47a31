import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { HostFilter } from "../../parts/host-filter";
import { textOf } from "../../words/agent-words";
import { counted, whole } from "../../words/figures";
import "../../styles/tasks.css";
import { QueueFile } from "../../fleet/queue-file";
import { PRIORITIES, PRIORITY_WORDS, type Task, UNASSIGNED } from "../../fleet/task";
import { SearchField } from "../../parts/search-field";
import { Board } from "./board";
import { EVERYTHING, matching, type Search } from "./columns";
import { NewTask } from "./new-task";
import { QueueFileLine } from "./queue-file-line";
import { TaskSheet } from "./task-sheet";

/** How long a card says that it was just claimed. */
const CLAIM_SHOWS_MS = 6000;

export function TasksView({ office }: { office: Office }) {
  const { live, queue, router } = office;
  const search = useSignal<Search>(EVERYTHING);
  const claims = useSignal<ReadonlyMap<string, string>>(new Map());
  const file = useMemo(() => new QueueFile(), []);
  const found = useComputed(() => matching(queue.tasks.value ?? [], search.value));

  useEffect(
    () =>
      live.follow((events) => {
        const told = events.filter(({ type }) => type === "task:assigned").slice(-20);
        if (told.length === 0) {
          return;
        }
        const now = new Map(claims.peek());
        for (const { data } of told) {
          const [task, agent] = [textOf(data.taskId), textOf(data.agentId)];
          if (task !== null && agent !== null && agent !== UNASSIGNED) {
            now.set(task, agent);
            setTimeout(() => {
              const left = new Map(claims.peek());
              left.delete(task);
              claims.value = left;
            }, CLAIM_SHOWS_MS);
          }
        }
        claims.value = now;
      }),
    [],
  );

  const tasks = queue.tasks.value;
  const route = router.route.value;
  const id = route.view === "tasks" ? route.id : null;
  return (
    <section class={id === null ? "panel tasks" : "panel tasks with-sheet"} aria-labelledby="tasks-title">
      <h2 id="tasks-title" class="ribbon">
        Tasks {tasks && <span class="count">{whole(tasks.length)}</span>}
      </h2>
      <Finder
        office={office}
        search={search.value}
        found={found.value.length}
        onSearch={(to) => {
          search.value = to;
        }}
      />
      {queue.drafting.value && <NewTask office={office} />}
      <QueueFileLine live={live} file={file} />
      <div class="tasks-body">
        {tasks === null ? (
          <p class="empty">{live.waitingWord.value}</p>
        ) : (
          <Board
            office={office}
            tasks={found.value}
            claims={claims.value}
            searched={search.value !== EVERYTHING}
            archived={live.pastAt.value === null ? file.archived.value : 0}
          />
        )}
        {id !== null && <TaskSheet key={id} office={office} id={id} />}
      </div>
    </section>
  );
}

interface FinderProps {
  readonly office: Office;
  readonly search: Search;
  readonly found: number;
  readonly onSearch: (search: Search) => void;
}

function Finder({ office: { live, queue }, search, found, onSearch }: FinderProps) {
  const all = queue.tasks.value ?? [];
  const set = (part: Partial<Search>) => {
    const next = { ...search, ...part };
    onSearch(Object.values(next).some(Boolean) ? next : EVERYTHING);
  };
  return (
    <search class="finder">
      <SearchField
        label="Search tasks"
        placeholder="Search: words, TASK-0042, a tag"
        text={search.text}
        search={(text) => set({ text })}
      />
      <label>
        <span class="unseen">Of agent</span>
        <select value={search.agent} onChange={(event) => set({ agent: event.currentTarget.value })}>
          <option value="">All agents</option>
          <option value={UNASSIGNED}>Nobody’s</option>
          {holders(all, live.nameOf).map(([id, name]) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="unseen">Of priority</span>
        <select
          value={search.priority}
          onChange={(event) =>
            set({ priority: PRIORITIES.find((one) => one === event.currentTarget.value) ?? "" })
          }
        >
          <option value="">All priorities</option>
          {PRIORITIES.map((priority) => (
            <option key={priority} value={priority}>
              {priority} {PRIORITY_WORDS[priority]}
            </option>
          ))}
        </select>
      </label>
      <HostFilter live={live} host={search.host} choose={(host) => set({ host })} />
      <button
        type="button"
        aria-expanded={queue.drafting.value}
        onClick={() => {
          queue.drafting.value = !queue.drafting.peek();
        }}
      >
        + New task
      </button>
      <p class="found" role="status">
        {search === EVERYTHING ? "" : `${counted(found, "task")} of ${whole(all.length)}`}
      </p>
    </search>
  );
}

/** Everybody who has a task, by name. */
function holders(tasks: readonly Task[], nameOf: (id: string) => string): readonly [string, string][] {
  const ids = new Set(tasks.flatMap(({ assignedTo }) => assignedTo ?? []));
  return [...ids].map((id): [string, string] => [id, nameOf(id)]).sort((a, b) => (a[1] < b[1] ? -1 : 1));
}
