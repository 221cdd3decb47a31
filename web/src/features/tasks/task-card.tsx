import { memo } from "preact/compat";
import { shortId } from "../../fleet/hosts";
import type { LiveFleet } from "../../fleet/live";
import { isOver, PRIORITY_WORDS, STATUS_WORDS, type Status, type Task } from "../../fleet/task";
import { pathOfTask } from "../../page/route";
import { serverNow } from "../../page/server-clock";
import { HostBadge } from "../../parts/host-badge";
import { Portrait } from "../../parts/portrait";
import { moment } from "../../words/age";

interface TaskCardProps {
  readonly task: Task;
  /** The status that its column stands for. */
  readonly home: Status;
  readonly live: LiveFleet;
  /** Where it lives; null where there is but one place. */
  readonly host: string | null;
  readonly holder: string | null;
  readonly claimedBy: string | null;
  /** Whether the Tab key comes here: one card of each column has it. */
  readonly reached: boolean;
  readonly onFocus: () => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onDrag: (id: string | null) => void;
  readonly onMenu: () => void;
}

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const TaskCard = memo(Card, (before, after) =>
  (["task", "home", "host", "holder", "claimedBy", "reached"] as const).every(
    (name) => before[name] === after[name],
  ),
);

function Card({ task, home, live, host, holder, claimedBy, reached, ...on }: TaskCardProps) {
  const { id, description, priority, status, tags, subtasks, assignedTo } = task;
  const done = subtasks.filter(({ completed }) => completed).length;
  const due = moment(task.record.due);
  const late = due !== null && due < serverNow() && !isOver(task);
  return (
    <li
      class={`task-card ${priority}${claimedBy === null ? "" : " claimed"}`}
      data-task={id}
      draggable
      onDragStart={(event) => {
        event.dataTransfer?.setData("text/plain", `${id} ${description}`);
        on.onDrag(id);
      }}
      onDragEnd={() => on.onDrag(null)}
    >
      <p class="task-head">
        <span class={`priority ${priority}`}>
          {priority}
          <span class="unseen"> {PRIORITY_WORDS[priority]}</span>
        </span>
        <span class="task-id">{shortId(id, host)}</span>
        {status !== home && <span class="task-status">{STATUS_WORDS[status]}</span>}
        <button type="button" class="card-menu" tabIndex={reached ? 0 : -1} onClick={on.onMenu}>
          <span aria-hidden="true">⋮</span>
          <span class="unseen">Menu of {id}</span>
        </button>
      </p>
      <a
        href={pathOfTask(id)}
        class="task-title"
        dir="auto"
        draggable={false}
        tabIndex={reached ? 0 : -1}
        aria-describedby="board-keys"
        onFocus={on.onFocus}
        onKeyDown={on.onKeyDown}
      >
        {description}
      </a>
      <p class="task-foot">
        {assignedTo === null ? (
          <span class="nobody">Nobody yet</span>
        ) : (
          <span class="holder">
            <Portrait id={assignedTo} size="small" /> <span dir="auto">{holder ?? assignedTo}</span>
          </span>
        )}
        <HostBadge live={live} host={host} />
        {subtasks.length > 0 && (
          <span class="done-of">
            ☑ {done}/{subtasks.length}
          </span>
        )}
        {due !== null && (
          <span class={late ? "due late" : "due"}>
            {late ? "▲ late, " : "due "}
            {DAY.format(due)}
          </span>
        )}
      </p>
      {tags.length > 0 && (
        <p class="tags">
          {tags.slice(0, 4).map((tag) => (
            <span key={tag} class="tag" dir="auto">
              {tag}
            </span>
          ))}
        </p>
      )}
      {claimedBy !== null && <p class="claim">Just taken</p>}
    </li>
  );
}
