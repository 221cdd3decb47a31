import { useSignal } from "@preact/signals";
import type { Task } from "../../fleet/task";
import type { TaskQueue } from "../../fleet/task-queue";

export function SubtaskList({ queue, task }: { queue: TaskQueue; task: Task }) {
  const text = useSignal("");

  async function add(event: Event): Promise<void> {
    event.preventDefault();
    const description = text.peek().trim();
    if (description !== "" && (await queue.addSubtask(task.id, description)) === null) {
      text.value = "";
    }
  }

  return (
    <section class="subtasks" aria-labelledby="subtasks-title">
      <h4 id="subtasks-title">Subtasks</h4>
      {task.subtasks.length > 0 && (
        <ul>
          {task.subtasks.map(({ id, description, completed }) => (
            <li key={id}>
              <label>
                <input
                  type="checkbox"
                  checked={completed}
                  disabled={completed}
                  onChange={() => void queue.completeSubtask(task.id, id)}
                />{" "}
                <span dir="auto">{description}</span>
              </label>
            </li>
          ))}
        </ul>
      )}
      <form class="add-subtask" onSubmit={add}>
        <label class="grow">
          <span class="unseen">New subtask</span>
          <input
            placeholder="A step of it"
            autocomplete="off"
            dir="auto"
            value={text.value}
            onInput={(event) => {
              text.value = event.currentTarget.value;
            }}
          />
        </label>
        <button type="submit" disabled={text.value.trim() === ""}>
          Add
        </button>
      </form>
    </section>
  );
}
