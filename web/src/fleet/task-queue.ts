/**
 * The tasks, and what somebody at this page does with them. A change shows at once; where the server refuses it, it is
 * undone and the reason is said.
 */

import { computed, effect, signal } from "@preact/signals";
import { RequestFailed, request } from "../client/http";
import { type Data, isData } from "../client/protocol";
import { pathOfTask } from "../page/route";
import type { Toasts } from "../page/toasts";
import type { Item } from "../state";
import type { LiveFleet } from "./live";
import { type Task, taskFrom } from "./task";

/** Fields that are laid over a task until the log tells of them; null for one that is deleted. */
type Overlay = Data | null;

/** What was read, and the tag by which the server knows whether it still stands. */
export interface ReadTask {
  readonly record: Item;
  readonly tag: string | null;
}

/** How long what was answered may be on its way through the log. */
const SETTLES_MS = 3000;
const SAME_ORIGIN = { apiUrl: "" };

export class TaskQueue {
  readonly #live: LiveFleet;
  readonly #toasts: Toasts;
  readonly #overlays = signal<ReadonlyMap<string, Overlay>>(new Map());
  readonly #turns = new Map<string, Promise<string | null>>();

  /** Whether somebody is writing a new task. */
  readonly drafting = signal(false);
  /** The same list for as long as no task changes, however much else happens. */
  readonly #records = computed(() => this.#live.fleet.value?.tasks);
  /** Null until the first snapshot. */
  readonly tasks = computed<readonly Task[] | null>(() => {
    const records = this.#records.value;
    return records ? laidOver(records, this.#overlays.value).map(taskFrom) : null;
  });

  constructor(live: LiveFleet, toasts: Toasts) {
    this.#live = live;
    this.#toasts = toasts;
  }

  find(id: string): Task | null {
    return this.tasks.value?.find((task) => task.id === id) ?? null;
  }

  async read(id: string): Promise<ReadTask> {
    return answered(await request(`/api${pathOfTask(id)}`, SAME_ORIGIN));
  }

  /**
   * Change fields of a task. Where `tag` is given, only if it is still what was read with it; else only if the fields
   * are still what this page shows. Returns why that was refused, or null.
   */
  async change(id: string, fields: Data, tag?: string | null): Promise<string | null> {
    const shown = this.find(id)?.record;
    return this.#attempt(id, fields, `${id} was not changed`, async () => {
      const held = tag === undefined ? await this.#unchanged(id, fields, shown) : tag;
      await this.#send("PATCH", `/api${pathOfTask(id)}`, fields, held);
    });
  }

  async remove(id: string, tag: string | null = null): Promise<string | null> {
    return this.#attempt(id, null, `${id} was not deleted`, async () => {
      await this.#send("DELETE", `/api${pathOfTask(id)}`, undefined, tag);
    });
  }

  /** Returns the new task's id, or why there is none. */
  async create(fields: Data): Promise<{ id: string } | { refusal: string }> {
    try {
      this.#insistOnPresent();
      const { record } = await answered(await this.#send("POST", "/api/tasks", fields, null));
      return { id: record.id };
    } catch (error) {
      return { refusal: reasonOf(error) };
    }
  }

  async addSubtask(id: string, description: string): Promise<string | null> {
    return this.#said(`No subtask was added to ${id}`, () =>
      this.#send("POST", `/api${pathOfTask(id)}/subtasks`, { description }, null),
    );
  }

  async completeSubtask(id: string, subtask: string): Promise<string | null> {
    const path = `/api${pathOfTask(id)}/subtasks/${encodeURIComponent(subtask)}/complete`;
    return this.#said(`The subtask was not completed`, () => this.#send("POST", path, {}, null));
  }

  async #attempt(
    id: string,
    overlay: Overlay,
    failure: string,
    act: () => Promise<void>,
  ): Promise<string | null> {
    const under = this.#overlays.peek().get(id);
    const laid = overlay && { ...under, ...overlay };
    this.#overlays.value = new Map(this.#overlays.peek()).set(id, laid);
    // One after the other: the second begins where the first has come to.
    const turn = (this.#turns.get(id) ?? Promise.resolve(null)).then(() => this.#said(failure, act));
    this.#turns.set(id, turn);
    const before = this.#recordOf(id);
    const refusal = await turn;
    if (this.#turns.get(id) === turn) {
      this.#turns.delete(id);
    }
    if (refusal === null) {
      this.#settle(id, laid, before);
    } else {
      this.#take(id, laid);
    }
    return refusal;
  }

  /** Take an overlay away once the log has told of the task: what it tells is what counts. */
  #settle(id: string, overlay: Overlay, before: Item | undefined): void {
    let stop = () => {};
    const end = () => {
      stop();
      clearTimeout(timer);
      this.#take(id, overlay);
    };
    const timer = setTimeout(end, SETTLES_MS);
    stop = effect(() => {
      if (this.#live.fleet.value?.tasks.find((task) => task.id === id) !== before) {
        queueMicrotask(end);
      }
    });
  }

  #recordOf(id: string): Item | undefined {
    return this.#live.fleet.peek()?.tasks.find((task) => task.id === id);
  }

  async #said(failure: string, act: () => Promise<unknown>): Promise<string | null> {
    try {
      this.#insistOnPresent();
      await act();
      return null;
    } catch (error) {
      const reason = reasonOf(error);
      this.#toasts.say(`${failure}: ${reason}`, "warning");
      return reason;
    }
  }

  /** Return the tag of a task if the fields are what this page shows: nobody changes what they have not seen. */
  async #unchanged(id: string, fields: Data, shown: Item | undefined): Promise<string | null> {
    const { record, tag } = await this.read(id);
    for (const name of Object.keys(fields)) {
      if (shown && JSON.stringify(record[name]) !== JSON.stringify(shown[name])) {
        throw new RequestFailed({ reason: `Meanwhile ${name} has become ${String(record[name])}.` });
      }
    }
    return tag;
  }

  /** Nobody changes what has been. */
  #insistOnPresent(): void {
    if (this.#live.pastAt.peek() !== null) {
      throw new RequestFailed({ reason: "This is the past. Go back to live to change something." });
    }
  }

  #send(method: string, path: string, body: Data | undefined, tag: string | null): Promise<Response> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (tag !== null) {
      headers["if-match"] = tag;
    }
    return request(path, SAME_ORIGIN, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** Take an overlay away, unless another has been laid over it. */
  #take(id: string, overlay: Overlay): void {
    if (this.#overlays.peek().get(id) === overlay) {
      const left = new Map(this.#overlays.peek());
      left.delete(id);
      this.#overlays.value = left;
    }
  }
}

export function laidOver(records: readonly Item[], overlays: ReadonlyMap<string, Overlay>): readonly Item[] {
  if (overlays.size === 0) {
    return records;
  }
  return records.flatMap((record) => {
    const overlay = overlays.get(record.id);
    if (overlay === undefined) {
      return [record];
    }
    return overlay === null ? [] : [{ ...record, ...overlay, id: record.id }];
  });
}

async function answered(response: Response): Promise<ReadTask> {
  const record: unknown = await response.json();
  if (!isData(record) || typeof record.id !== "string") {
    throw new RequestFailed({ reason: "The server's answer is not a task." });
  }
  return { record: { ...record, id: record.id }, tag: response.headers.get("etag") };
}

function reasonOf(error: unknown): string {
  return error instanceof RequestFailed ? error.failure.reason : "Something went wrong here.";
}
