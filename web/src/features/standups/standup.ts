/** A standup, read with the care that anything from outside is read with. */

import { RequestFailed, request } from "../../client/http";
import { type Data, isData } from "../../client/protocol";
import type { Standup as StandupRecord } from "../../state";
import { textOf } from "../../words/agent-words";
import { counted, dollars, short } from "../../words/figures";

export interface StandupTask {
  readonly id: string;
  readonly description: string;
}

/** How many, and the newest few. */
export interface Few<Kind> {
  readonly count: number;
  readonly newest: readonly Kind[];
}

/** `tokens` and `cost` (US dollars) are null where they are unknown. */
export interface Use {
  readonly tokens: number | null;
  readonly cost: number | null;
  readonly unpricedTokens: number;
}

export interface AgentReport extends Use {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly lastActivity: string | null;
  readonly completed: Few<StandupTask>;
  readonly started: Few<StandupTask>;
  readonly blocked: Few<StandupTask>;
  readonly files: Few<string>;
  readonly questions: Few<StandupTask>;
}

export interface StandupAlert {
  readonly id: number;
  readonly level: string;
  readonly message: string;
}

export interface Standup {
  readonly id: string;
  readonly from: string | null;
  readonly to: string | null;
  /** When counting began, where that is later than `from`; null where all of the period is counted. */
  readonly countedSince: string | null;
  readonly complete: boolean;
  /** The local time that it was scheduled for; null where it was asked for. */
  readonly scheduled: string | null;
  readonly by: string | null;
  readonly agents: readonly AgentReport[];
  readonly agentsLeftOut: number;
  readonly totals: Use & {
    readonly completed: number;
    readonly started: number;
    readonly blocked: number;
    readonly files: number;
    readonly leads: number;
    readonly openQuestions: number;
  };
  readonly alerts: readonly StandupAlert[];
}

export function standupFrom(record: StandupRecord): Standup {
  const [from, to, totals] = [record.from, record.to, record.totals].map(dataIn);
  const complete = record.complete !== false;
  return {
    id: record.id,
    from: textOf(from?.time),
    to: textOf(to?.time),
    countedSince: complete ? null : textOf(record.since),
    complete,
    scheduled: textOf(record.scheduled),
    by: textOf(record.by),
    agents: listIn(record.agents).flatMap((agent) => (isData(agent) ? reportFrom(agent) : [])),
    agentsLeftOut: countIn(record.agentsLeftOut),
    totals: {
      ...useIn(totals ?? {}),
      completed: countIn(totals?.completed),
      started: countIn(totals?.started),
      blocked: countIn(totals?.blocked),
      files: countIn(totals?.files),
      leads: countIn(totals?.leads),
      openQuestions: countIn(totals?.openQuestions),
    },
    alerts: listIn(record.alerts).flatMap((alert) =>
      isData(alert)
        ? {
            id: countIn(alert.id),
            level: textOf(alert.level) ?? "info",
            message: textOf(alert.message) ?? "",
          }
        : [],
    ),
  };
}

function reportFrom(agent: Data): AgentReport {
  const id = textOf(agent.id) ?? "";
  return {
    ...useIn(agent),
    id,
    name: textOf(agent.name) ?? id,
    status: textOf(agent.status) ?? "unknown",
    lastActivity: textOf(agent.lastActivity),
    completed: few(agent.completed, taskFrom),
    started: few(agent.started, taskFrom),
    blocked: few(agent.blocked, taskFrom),
    files: few(agent.files, textOf),
    questions: few(agent.questions, taskFrom),
  };
}

function few<Kind>(value: unknown, read: (one: unknown) => Kind | null): Few<Kind> {
  const { count, newest } = dataIn(value);
  const known = listIn(newest).map(read);
  return { count: countIn(count), newest: known.filter((one) => one !== null) };
}

/** A task, or a question. */
function taskFrom(value: unknown): StandupTask | null {
  const { id, description, text } = dataIn(value);
  const known = textOf(id);
  return known === null ? null : { id: known, description: textOf(description) ?? textOf(text) ?? known };
}

function useIn(record: Data): Use {
  return {
    tokens: typeof record.tokens === "number" ? record.tokens : null,
    cost: typeof record.cost === "number" ? record.cost : null,
    unpricedTokens: countIn(record.unpricedTokens),
  };
}

function dataIn(value: unknown): Data {
  return isData(value) ? value : {};
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function countIn(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** Whether there is anything to say of an agent beyond its status. */
export function hasNews(agent: AgentReport): boolean {
  const counts = [agent.completed, agent.started, agent.blocked, agent.files, agent.questions];
  return counts.some(({ count }) => count > 0) || agent.tokens !== 0 || (agent.cost ?? 0) > 0;
}

/** Tokens and cost in words; what is unknown is said to be. */
export function useWords({ tokens, cost, unpricedTokens }: Use): string {
  if (tokens === null) {
    return "tokens unknown";
  }
  const price = cost === null ? "cost unknown" : `${unpricedTokens > 0 ? "at least " : ""}${dollars(cost)}`;
  return `${counted(tokens, "token").replace(/^[\d,]+/, short(tokens))}, ${price}`;
}

/** What a standup comes to, for the list. */
export function headline({ totals }: Standup): string {
  const parts = [`${totals.completed} completed`, `${totals.started} started`];
  if (totals.blocked > 0) {
    parts.push(`${totals.blocked} blocked`);
  }
  if (totals.cost !== null && totals.cost > 0) {
    parts.push(dollars(totals.cost));
  }
  return parts.join(", ");
}

/** Hold a standup; returns its id. Throws `RequestFailed` where that is refused. */
export async function holdStandup(key: string): Promise<string> {
  const response = await request(
    "/api/standups",
    { apiUrl: "" },
    { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ key }) },
  );
  const answer: unknown = await response.json().catch(() => null);
  const id = isData(answer) ? textOf(answer.id) : null;
  if (id === null) {
    throw new RequestFailed({ reason: "The server's answer is not a standup." });
  }
  return id;
}

/** Return a standup as Markdown; throws `RequestFailed`. */
export async function readMarkdown(id: string): Promise<string> {
  const response = await request(`/api/standups/${encodeURIComponent(id)}?format=markdown`, { apiUrl: "" });
  return await response.text();
}
