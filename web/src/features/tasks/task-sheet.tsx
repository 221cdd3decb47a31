/** All of one task. What is being written here is kept apart from what the log tells, until it is saved. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Data } from "../../client/protocol";
import type { Office } from "../../dashboard/office";
import { useInSight } from "../../page/in-sight";
import { HostBadge } from "../../parts/host-badge";
import { DetailList } from "./detail-list";
import { EditFields } from "./edit-fields";
import { SubtaskList } from "./subtask-list";

export function TaskSheet({ office, id }: { office: Office; id: string }) {
  const { live, queue, router, toasts } = office;
  const sheet = useInSight<HTMLElement>();
  const task = queue.find(id);
  /** The tag of what was read, and of nothing later once somebody has begun to write. */
  const tag = useSignal<string | null>(null);
  const draft = useSignal<Data>({});
  const refusal = useSignal<string | null>(null);
  const asking = useSignal(false);
  const written = Object.keys(draft.value).length > 0;
  const record = live.fleet.value?.tasks.find((one) => one.id === id);

  async function readAgain(): Promise<void> {
    try {
      tag.value = (await queue.read(id)).tag;
      refusal.value = null;
    } catch {
      tag.value = null;
    }
  }

  useEffect(() => {
    if (record !== undefined && Object.keys(draft.peek()).length === 0) {
      void readAgain();
    }
  }, [record]);

  async function save(event: Event): Promise<void> {
    event.preventDefault();
    const fields = draft.peek();
    if (Object.keys(fields).length === 0) {
      return;
    }
    const refused = await queue.change(id, fields, tag.peek());
    refusal.value = refused;
    if (refused === null) {
      draft.value = {};
      toasts.say(`${id} is saved.`);
    }
  }

  async function remove(): Promise<void> {
    const refused = await queue.remove(id, tag.peek());
    asking.value = false;
    if (refused === null) {
      toasts.say(`${id} is deleted.`);
      router.go("/tasks");
    }
  }

  if (task === null) {
    return (
      <aside ref={sheet} class="sheet" aria-label={id}>
        <SheetHead id={id} />
        <p class="empty">
          {queue.tasks.value === null
            ? live.waitingWord.value
            : "There is no such task in the queue: it was deleted, or never was."}
        </p>
      </aside>
    );
  }
  const host = live.hostOf(task.record);
  return (
    <aside ref={sheet} class="sheet" aria-label={id}>
      <SheetHead id={id} />
      {host !== null && (
        <p>
          <HostBadge live={live} host={host} since={office.awayHosts.value.get(host)} />
        </p>
      )}
      <form class="edit" onSubmit={save}>
        <EditFields
          record={{ ...task.record, ...draft.value }}
          agents={live.fleet.value?.agents ?? []}
          onWrite={(fields) => {
            draft.value = { ...draft.peek(), ...fields };
          }}
        />
        {refusal.value !== null && (
          <div class="refusal" role="alert">
            <p>Not saved: {refusal.value}</p>
            <button type="button" onClick={readAgain}>
              Keep what I wrote, over what is there now
            </button>
          </div>
        )}
        <p class="sheet-buttons">
          <button type="submit" disabled={!written}>
            Save
          </button>
          {written && (
            <button
              type="button"
              class="quiet"
              onClick={() => {
                draft.value = {};
                refusal.value = null;
                void readAgain();
              }}
            >
              Undo
            </button>
          )}
          {asking.value ? (
            <span class="really">
              Delete it for good?{" "}
              <button type="button" class="danger" onClick={remove}>
                Delete
              </button>{" "}
              <button
                type="button"
                class="quiet"
                onClick={() => {
                  asking.value = false;
                }}
              >
                Keep
              </button>
            </span>
          ) : (
            <button
              type="button"
              class="quiet"
              onClick={() => {
                asking.value = true;
              }}
            >
              Delete …
            </button>
          )}
        </p>
      </form>
      <SubtaskList queue={queue} task={task} />
      <DetailList office={office} task={task} />
    </aside>
  );
}

function SheetHead({ id }: { id: string }) {
  return (
    <header class="sheet-head">
      <h3>{id}</h3>
      <a href="/tasks" class="close">
        <span aria-hidden="true">✕</span>
        <span class="unseen">Close {id}</span>
      </a>
    </header>
  );
}
