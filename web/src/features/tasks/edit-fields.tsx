import type { Data } from "../../client/protocol";
import { PRIORITIES, PRIORITY_WORDS, STATUS_WORDS, STATUSES, UNASSIGNED } from "../../fleet/task";
import type { Agent } from "../../state";
import { textOf } from "../../words/agent-words";
import { agentOptions } from "./move-menu";

interface EditFieldsProps {
  /** As it is, with what has been written over it. */
  readonly record: Data;
  readonly agents: readonly Agent[];
  readonly onWrite: (fields: Data) => void;
}

export function EditFields({ record, agents, onWrite }: EditFieldsProps) {
  const holder = textOf(record.assignedTo) ?? UNASSIGNED;
  const tags = Array.isArray(record.tags) ? record.tags.join(", ") : "";
  return (
    <>
      <label>
        What is to be done
        <textarea
          rows={3}
          dir="auto"
          value={rawText(record.description)}
          onInput={(event) => onWrite({ description: event.currentTarget.value })}
        />
      </label>
      <div class="edit-row">
        <label>
          Status
          <select
            value={textOf(record.status) ?? "pending"}
            onChange={(event) => onWrite({ status: event.currentTarget.value })}
          >
            {STATUSES.map((status) => (
              <option key={status} value={status}>
                {STATUS_WORDS[status]}
              </option>
            ))}
          </select>
        </label>
        <label>
          Priority
          <select
            value={textOf(record.priority) ?? "P2"}
            onChange={(event) => onWrite({ priority: event.currentTarget.value })}
          >
            {PRIORITIES.map((priority) => (
              <option key={priority} value={priority}>
                {priority} {PRIORITY_WORDS[priority]}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div class="edit-row">
        <label>
          Given to
          <select value={holder} onChange={(event) => onWrite({ assignedTo: event.currentTarget.value })}>
            <option value={UNASSIGNED}>Nobody</option>
            {agentOptions(agents, holder === UNASSIGNED ? null : holder).map(([id, name]) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          Due
          <input
            placeholder="2026-12-01"
            autocomplete="off"
            value={rawText(record.due)}
            onInput={(event) => onWrite({ due: event.currentTarget.value || null })}
          />
        </label>
      </div>
      <label>
        Tags, with commas between them
        <input
          autocomplete="off"
          dir="auto"
          defaultValue={tags}
          onInput={(event) =>
            onWrite({
              tags: event.currentTarget.value
                .split(",")
                .map((tag) => tag.trim())
                .filter(Boolean),
            })
          }
        />
      </label>
      <label>
        Notes
        <textarea
          rows={2}
          dir="auto"
          value={rawText(record.notes)}
          onInput={(event) => onWrite({ notes: event.currentTarget.value })}
        />
      </label>
    </>
  );
}

/** As it was typed, with the spaces at its end. */
function rawText(value: unknown): string {
  return typeof value === "string" ? value : "";
}
