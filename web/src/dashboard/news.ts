/** Good news, told on the floor as it happens: somebody has finished something, or found somebody. */

import { isData, type LogEvent } from "../client/protocol";
import type { LiveFleet } from "../fleet/live";
import { pathOfTask } from "../page/route";
import type { Router } from "../page/router";
import type { Toasts } from "../page/toasts";
import type { FleetState } from "../state";
import { taskOf, textOf } from "../words/agent-words";
import { isolated } from "../words/direction";

export interface News {
  readonly text: string;
  readonly path: string;
  /** The agent that has done it, if any. */
  readonly agent: string | null;
}

/** News within so many milliseconds of others is left to the list of events. */
const APART_MS = 3000;
const FRESH_MS = 10_000;

/** What is to be told of an event; null for all but finished tasks and new leads. */
export function newsOf(
  { type, data }: LogEvent,
  { tasks }: Pick<FleetState, "tasks">,
  nameOf: (id: string) => string,
): News | null {
  if (type === "task:completed") {
    const id = textOf(data.taskId);
    const task = tasks.find((one) => one.id === id);
    const agent = textOf(task?.assignedTo);
    if (id === null || agent === null || agent === "Unassigned") {
      return null;
    }
    const text = `${isolated(nameOf(agent))} has finished: ${isolated(taskOf(task) ?? id)}`;
    return { text, path: pathOfTask(id), agent };
  }
  if (type === "lead:added") {
    const lead = isData(data.lead) ? data.lead : {};
    const name = textOf(lead.company) ?? textOf(lead.name);
    const score = typeof lead.score === "number" ? `, scored ${lead.score}` : "";
    if (name !== null) {
      return { text: `A new lead: ${isolated(name)}${score}`, path: "/leads", agent: null };
    }
  }
  return null;
}

/** Tell news on the floor, now and then. */
export function tellNews(live: LiveFleet, toasts: Toasts, router: Router): void {
  let last = 0;
  live.follow((events) => {
    const now = Date.now();
    const fleet = live.fleet.peek();
    if (
      !fleet ||
      live.pastAt.peek() !== null ||
      router.route.peek().view !== "floor" ||
      now - last < APART_MS
    ) {
      return;
    }
    for (const event of events) {
      const news = newsOf(event, fleet, live.nameOf);
      if (news && Date.parse(event.time) > now - FRESH_MS) {
        last = now;
        toasts.say(news.text, "info", news.path, news.agent);
        return;
      }
    }
  });
}
