import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { PRIORITIES, PRIORITY_WORDS, UNASSIGNED } from "../../fleet/task";
import { pathOfTask } from "../../page/route";
import { agentOptions } from "./move-menu";

export function NewTask({ office: { live, queue, toasts } }: { office: Office }) {
  const refusal = useSignal<string | null>(null);
  const busy = useSignal(false);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement) || busy.peek()) {
      return;
    }
    const fields = Object.fromEntries(new FormData(form));
    busy.value = true;
    const answer = await queue.create({ ...fields, createdBy: "dashboard" });
    busy.value = false;
    if ("refusal" in answer) {
      refusal.value = answer.refusal;
    } else {
      refusal.value = null;
      form.reset();
      // A person who has moved on meanwhile keeps the focus there.
      if (document.activeElement === document.body || form.contains(document.activeElement)) {
        first.current?.focus();
      }
      toasts.say(`${answer.id} is in the queue.`, "info", pathOfTask(answer.id));
    }
  }

  return (
    <form class="new-task" aria-label="New task" onSubmit={submit}>
      <label class="grow">
        What is to be done{" "}
        <input ref={first} name="description" required maxLength={2000} autocomplete="off" dir="auto" />
      </label>
      <label>
        Priority{" "}
        <select name="priority" defaultValue="P2">
          {PRIORITIES.map((priority) => (
            <option key={priority} value={priority}>
              {priority} {PRIORITY_WORDS[priority]}
            </option>
          ))}
        </select>
      </label>
      <label>
        Give to{" "}
        <select name="assignedTo">
          <option value={UNASSIGNED}>Nobody yet</option>
          {agentOptions(live.fleet.value?.agents ?? [], null).map(([id, name]) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" disabled={busy.value}>
        Add
      </button>
      <button
        type="button"
        class="quiet"
        onClick={() => {
          queue.drafting.value = false;
        }}
      >
        Close
      </button>
      {refusal.value !== null && (
        <p class="refusal" role="alert">
          Not added: {refusal.value}
        </p>
      )}
    </form>
  );
}
