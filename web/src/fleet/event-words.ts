/** An event as a line for people. What it says of itself goes into the page as text, never as markup. */

import { type Data, type Gap, isData, type LogEvent } from "../client/protocol";
import { isKind, kindOf } from "../state/status";
import { taskOf, textOf } from "../words/agent-words";
import { isolated } from "../words/direction";
import type { Tone } from "../words/tone";

export interface Line {
  readonly sign: string;
  /** Who or what it is about; set apart from the rest. */
  readonly subject: string;
  readonly text: string;
  readonly tone: Tone;
}

/** Turns an agent's id into its name. */
export type NameOf = (id: string) => string;

type Describe = (data: Data, nameOf: NameOf) => Line | null;

const MOST_LETTERS = 160;

export function describeEvent(event: LogEvent, nameOf: NameOf): Line {
  return (
    DESCRIPTIONS.get(event.type)?.(event.data, nameOf) ??
    // Of another type, or not of the shape that its type has.
    line("·", event.type, isolated(shorten(JSON.stringify(event.data))))
  );
}

export function describeGap({ from, to, reason }: Gap): Line {
  const text = WHY_GONE.get(reason) ?? "they can no longer be had";
  const which = to > from ? `Events ${from} to ${to} are missing:` : `Event ${from} is missing:`;
  return line("…", which, text, "warning");
}

const WHY_GONE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    trimmed: "they are older than what the log keeps",
    epoch: "the log has begun again",
    ahead: "the log has lost its newest part",
  }),
);

const DESCRIPTIONS: ReadonlyMap<string, Describe> = new Map(
  Object.entries<Describe>({
    "agent:statusChange": (data, nameOf) => {
      const [name, status, before] = [
        agentIn(data, nameOf),
        textOf(data.status),
        textOf(data.previousStatus),
      ];
      if (!name || !status) {
        return null;
      }
      const kind = isKind(data.kind) ? data.kind : kindOf(status);
      const text = `is now ${isolated(status)}${before ? ` (was ${isolated(before)})` : ""}`;
      return line("◆", name, text, kind === "error" ? "warning" : "plain");
    },
    "agent:updated": (data, nameOf) => {
      const name = agentIn(data, nameOf);
      return name && isData(data.updates) ? line("◇", name, describeUpdates(data.updates)) : null;
    },
    "agent:activity": (data, nameOf) => {
      const name = agentIn(data, nameOf);
      const doing = textOf(data.activity);
      return name ? line("✎", name, doing ? `is at it: ${isolated(doing)}` : "worked on files") : null;
    },
    "agent:removed": (data, nameOf) => {
      const name = agentIn(data, nameOf);
      return name ? line("○", name, "is gone") : null;
    },
    "file:change": describeFile,
    "task:created": (data) => {
      const task = isData(data.task) ? data.task : {};
      return describeTask(task.id, `was created: ${isolated(taskOf(task) ?? "without a description")}`);
    },
    "task:updated": (data) =>
      describeTask(data.taskId, isData(data.updates) ? `changed: ${keys(data.updates)}` : "changed"),
    "task:completed": (data) => describeTask(data.taskId, "is completed"),
    "task:assigned": (data, nameOf) => {
      const name = agentIn(data, nameOf);
      return describeTask(data.taskId, name ? `was given to ${isolated(name)}` : "is no longer assigned");
    },
    "task:deleted": (data) =>
      describeTask(data.taskId, data.archived === true ? "is in the history now" : "was deleted"),
    "lead:added": (data) => {
      const lead = isData(data.lead) ? data.lead : {};
      const score = typeof lead.score === "number" ? `, scored ${lead.score}` : "";
      return line("★", leadOf(lead) ?? "A lead", `was found${score}`);
    },
    "lead:updated": (data) =>
      describeLead(data.leadId, isData(data.updates) ? `changed: ${keys(data.updates)}` : "changed"),
    "lead:scored": (data) => {
      const was = typeof data.previousScore === "number" ? ` (was ${data.previousScore})` : "";
      return describeLead(data.leadId, `now scores ${data.score}${was}`);
    },
    "lead:removed": (data) => describeLead(data.leadId, "is gone"),
    "token:usage": (data, nameOf) => {
      const agent = textOf(data.agent);
      const delta = isData(data.delta) ? data.delta : {};
      const [to, from] = [textOf(delta.movedTo), textOf(delta.movedFrom)];
      const moved = from
        ? `, also what was counted for ${nameOf(from)}`
        : to
          ? `, without what is ${nameOf(to)}’s`
          : "";
      const text = `has used ${count(data.tokens, "token")} so far, ${dollars(data.cost)}${moved}`;
      return agent ? line("$", nameOf(agent), text) : null;
    },
    "token:threshold": (data, nameOf) => {
      const agent = textOf(data.agent);
      const text = `has spent ${dollars(data.currentCost)} of its ${dollars(data.threshold)}`;
      const name = data.scope === "fleet" ? "The fleet" : agent && nameOf(agent);
      return name ? line("$", name, text, toneOf(data.alert)) : null;
    },
    "question:asked": (data, nameOf) => {
      const question = isData(data.question) ? data.question : {};
      const [text, agent] = [textOf(question.text), textOf(question.agentId)];
      return text
        ? line("?", agent ? nameOf(agent) : "Somebody", `asks: ${isolated(text)}`, "warning")
        : null;
    },
    "question:answered": (data) => {
      const [answer, by] = [textOf(data.answer), textOf(data.answeredBy)];
      const id = textOf(data.questionId);
      return answer
        ? line("!", by ?? "Somebody", `answered ${id ?? "a question"}: ${isolated(answer)}`)
        : null;
    },
    "question:closed": (data) => {
      const id = textOf(data.questionId);
      return id ? line("?", id, WHY_CLOSED.get(data.reason) ?? "was withdrawn") : null;
    },
    "notification:sent": (data) => {
      const [to, title] = [textOf(data.destination), textOf(data.title)];
      return to ? line("✉", to, `was told${title ? `: ${isolated(title)}` : ""}`) : null;
    },
    "notification:failed": (data) => {
      const [to, error] = [textOf(data.destination), textOf(data.error)];
      return to ? line("✉", to, `was not told${error ? `: ${isolated(error)}` : ""}`, "warning") : null;
    },
    "notification:started": () => line("✉", "Notifications", "are sent from now on"),
    "standup:held": (data) => {
      const standup = isData(data.standup) ? data.standup : {};
      const totals = isData(standup.totals) ? standup.totals : {};
      return line("☰", "Standup", `was held: ${count(totals.completed, "task")} completed`);
    },
    "system:alert": (data) => {
      const message = textOf(data.message);
      const tone = toneOf(data.level);
      return message ? line("▲", ALERT_WORDS[tone], isolated(message), tone) : null;
    },
    "system:status": (data) => {
      const status = textOf(data.status);
      return status ? line("■", "Gateway", `is ${isolated(status)}`) : null;
    },
    "state:baseline": (data) => {
      for (const noun of ["agent", "task", "lead"]) {
        const found = data[`${noun}s`];
        if (Array.isArray(found) && found.length > 0) {
          return line("⌂", "Workspace", `has ${count(found.length, noun)}`);
        }
      }
      const source = textOf(data.source);
      return source === null ? null : line("⌂", "Workspace", `was looked at for ${isolated(source)}`);
    },
  }),
);

const WHY_CLOSED: ReadonlyMap<unknown, string> = new Map([
  ["expired", "was not answered in time"],
  ["elsewhere", "was decided elsewhere"],
]);

const ALERT_WORDS: Readonly<Record<Tone, string>> = {
  plain: "Alert:",
  info: "Note:",
  warning: "Warning:",
  critical: "Critical:",
};

const ACTIONS: ReadonlyMap<unknown, readonly [active: string, passive: string]> = new Map([
  ["created", ["wrote", "was written"]],
  ["modified", ["changed", "was changed"]],
  ["deleted", ["deleted", "was deleted"]],
]);

function describeFile(data: Data, nameOf: NameOf): Line | null {
  const path = textOf(data.path);
  const words = ACTIONS.get(data.action);
  if (path === null || !words) {
    return null;
  }
  const id = textOf(data.agentId);
  const late = data.foundAtStart === true ? ", while nobody was watching" : "";
  if (id === null) {
    return line("✎", path, `${words[1]}${late}`);
  }
  // Where the agent's own folder lies is the same for all of its files, and long.
  const own = path.indexOf(`/agents/${id}/`);
  return line("✎", nameOf(id), `${words[0]} ${isolated(own < 0 ? path : path.slice(own + 1))}${late}`);
}

function describeUpdates(updates: Data): string {
  if ("currentTask" in updates) {
    const task = taskOf(updates.currentTask);
    return task ? `now does: ${isolated(task)}` : "has no task now";
  }
  return `changed: ${keys(updates)}`;
}

function describeTask(id: unknown, text: string): Line | null {
  const known = textOf(id) ?? (typeof id === "number" ? String(id) : null);
  return known ? line("☑", known, text) : null;
}

function describeLead(id: unknown, text: string): Line | null {
  const known = textOf(id) ?? (typeof id === "number" ? String(id) : null);
  return known ? line("★", known, text) : null;
}

function leadOf(lead: Data): string | null {
  return textOf(lead.company) ?? textOf(lead.name) ?? textOf(lead.id);
}

function agentIn(data: Data, nameOf: NameOf): string | null {
  const id = textOf(data.agentId);
  return id === null ? null : nameOf(id);
}

function toneOf(level: unknown): Tone {
  return level === "critical" || level === "warning" ? level : "info";
}

function keys(updates: Data): string {
  // As words: `lastActive` is "last active".
  const words = Object.keys(updates).map((key) => key.replace(/([A-Z])/g, " $1").toLowerCase());
  return isolated(words.join(", "));
}

function count(value: unknown, noun: string): string {
  const number = typeof value === "number" ? value : 0;
  return `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;
}

function dollars(value: unknown): string {
  return `$${(typeof value === "number" ? value : 0).toFixed(2)}`;
}

function shorten(text: string): string {
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;
}

function line(sign: string, subject: string, text: string, tone: Tone = "plain"): Line {
  return { sign, subject, text, tone };
}
