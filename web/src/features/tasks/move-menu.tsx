import { useEffect, useRef } from "preact/hooks";
import type { Data } from "../../client/protocol";
import { namesOf } from "../../fleet/hosts";
import {
  PRIORITIES,
  PRIORITY_WORDS,
  STATUS_WORDS,
  STATUSES,
  type Status,
  type Task,
  UNASSIGNED,
} from "../../fleet/task";
import type { Agent } from "../../state";

interface MoveMenuProps {
  readonly task: Task;
  readonly agents: readonly Agent[];
  readonly onMove: (status: Status) => void;
  readonly onChange: (fields: Data) => void;
  readonly onClose: () => void;
}

/** What can be done with a card without dragging it: for keys, for a screen reader, and for a thumb. */
export function MoveMenu({ task, agents, onMove, onChange, onClose }: MoveMenuProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);

  function choose(act: () => void): void {
    act();
    dialog.current?.close();
  }

  return (
    <dialog ref={dialog} class="panel move-menu" aria-labelledby="move-title" onClose={onClose}>
      <h3 id="move-title">
        {task.id} <span dir="auto">{task.description}</span>
      </h3>
      <p class="menu-word">Move to</p>
      <div class="choices">
        {STATUSES.map((status) => (
          <button
            key={status}
            type="button"
            aria-pressed={status === task.status}
            onClick={() => choose(() => onMove(status))}
          >
            {STATUS_WORDS[status]}
          </button>
        ))}
      </div>
      <p class="menu-word">Priority</p>
      <div class="choices">
        {PRIORITIES.map((priority) => (
          <button
            key={priority}
            type="button"
            aria-pressed={priority === task.priority}
            onClick={() => choose(() => onChange({ priority }))}
          >
            {priority} {PRIORITY_WORDS[priority]}
          </button>
        ))}
      </div>
      <label class="menu-word">
        Give to{" "}
        <select
          value={task.assignedTo ?? UNASSIGNED}
          onChange={(event) => {
            const assignedTo = event.currentTarget.value;
            choose(() => onChange({ assignedTo }));
          }}
        >
          <option value={UNASSIGNED}>Nobody</option>
          {agentOptions(agents, task.assignedTo).map(([id, name]) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button type="button" class="close-menu" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}

/** All agents, and whoever has it now, who may be none of them. */
export function agentOptions(agents: readonly Agent[], holder: string | null): readonly [string, string][] {
  const options = [...namesOf(agents)];
  return holder === null || agents.some(({ id }) => id === holder) ? options : [[holder, holder], ...options];
}
