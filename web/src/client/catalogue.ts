/** The types of event that the server tells, as it describes them. Made by `make catalogue`; not to be edited. */

import type { Data } from "./protocol";

/** `agent:statusChange`: An agent's status became another one; `agent` is the whole record of an agent that is new. */
export interface AgentStatusChange {
  readonly agentId: string;
  readonly status?: string | null;
  readonly previousStatus?: string | null;
  readonly kind?: string | null;
  readonly lastActive?: string | null;
  readonly stats?: Data | null;
  readonly agent?: Data | null;
  readonly timestamp?: string | null;
}

/**
 * `agent:activity`: An agent was seen at work: on files below its folder, of which there are `fileCount`, or in its transcript.
 *
 * `activity` says in a few words what it was doing.
 */
export interface AgentActivity {
  readonly agentId: string;
  readonly fileCount?: number | null;
  readonly lastActivity?: string | null;
  readonly activity?: string | null;
  readonly timestamp?: string | null;
}

/** `agent:updated`: Something about an agent other than its status changed: its profile, its task, its figures. */
export interface AgentUpdated {
  readonly agentId: string;
  readonly updates?: Data | null;
  readonly timestamp?: string | null;
}

/** `agent:removed`: An agent's folder is gone. */
export interface AgentRemoved {
  readonly agentId: string;
  readonly timestamp?: string | null;
}

/** `task:created`: A task was added to the queue. */
export interface TaskCreated {
  readonly task: Data;
  readonly timestamp?: string | null;
}

/**
 * `task:updated`: Fields of a task changed; `removed` names those that are gone.
 *
 * `conflicts` says which of two edits of one field was kept, and which was not.
 */
export interface TaskUpdated {
  readonly taskId: string;
  readonly updates?: Data | null;
  readonly removed?: readonly string[] | null;
  readonly conflicts?: readonly Data[] | null;
  readonly foundAtStart?: boolean | null;
  readonly timestamp?: string | null;
}

/** `task:completed`: A task was finished; `updates` are the other fields that changed with it. */
export interface TaskCompleted {
  readonly taskId: string;
  readonly result?: unknown;
  readonly updates?: Data | null;
  readonly timestamp?: string | null;
}

/** `task:assigned`: A task was given to an agent; `updates` are the other fields that changed with it. */
export interface TaskAssigned {
  readonly taskId: string;
  readonly agentId?: string | null;
  readonly assignedBy?: string | null;
  readonly updates?: Data | null;
  readonly timestamp?: string | null;
}

/** `task:deleted`: A task was removed from the queue; `archived`: it is over, and in the history of the queue's file. */
export interface TaskDeleted {
  readonly taskId: string;
  readonly archived?: boolean | null;
  readonly timestamp?: string | null;
}

/** `lead:added`: A lead was found. */
export interface LeadAdded {
  readonly lead: Data;
  readonly timestamp?: string | null;
}

/** `lead:updated`: Fields of a lead changed; `removed` names those that are gone. */
export interface LeadUpdated {
  readonly leadId: string;
  readonly updates?: Data | null;
  readonly removed?: readonly string[] | null;
  readonly timestamp?: string | null;
}

/** `lead:scored`: A lead's score changed; `updates` are the fields of its record that changed with it. */
export interface LeadScored {
  readonly leadId: string;
  readonly score?: number | null;
  readonly factors?: unknown;
  readonly previousScore?: number | null;
  readonly updates?: Data | null;
  readonly timestamp?: string | null;
}

/** `lead:removed`: A lead is no longer in its file. */
export interface LeadRemoved {
  readonly leadId: string;
  readonly timestamp?: string | null;
}

/**
 * `token:usage`: An agent's token use: totals so far (`cost` in US dollars), and in `delta` what is new.
 *
 * `delta.uses` has an entry for each session, model and day: `session`, `runtime`, `model`, `day`, `tokens`, `input`,
 * `output`, `cacheRead`, `cacheWrite`, `calls`, `cost`, and as `costSource` `transcript`, `telemetry`,
 * `prices`, `subscription` (paid by one; the cost is what the price table says) or `none`.
 *
 * Sessions that turn out to be another agent's take along what they have used: an event for each of the two agents, in
 * one transaction. `delta` then has `movedTo`, and negative figures, or `movedFrom`; nothing was used, and the sums of
 * the fleet stay as they are.
 */
export interface TokenUsage {
  readonly agent: string;
  readonly tokens?: number | null;
  readonly cost?: number | null;
  readonly session?: unknown;
  readonly delta?: Data | null;
  readonly timestamp?: string | null;
}

/**
 * `token:threshold`: A budget threshold was crossed; costs in US dollars, `period` the day that the budget is for.
 *
 * `scope` is `fleet` for the budget of all agents together, whose `agent` is `fleet` too.
 */
export interface TokenThreshold {
  readonly agent: string;
  readonly currentCost?: number | null;
  readonly threshold?: number | null;
  readonly percentUsed?: number | null;
  readonly alert?: "critical" | "info" | "warning" | null;
  readonly period?: string | null;
  readonly scope?: "agent" | "fleet" | null;
  readonly timestamp?: string | null;
}

/**
 * `question:asked`: Somebody waits for a person's answer.
 *
 * `question` has `id`, `kind` (`question`, `permission` or `budget`), `text`, `options` (none where any text will
 * do), `agentId`, `taskId`, `details`, `askedAt` and `expiresAt`.
 */
export interface QuestionAsked {
  readonly question: Data;
  readonly timestamp?: string | null;
}

/** `question:answered`: A person has answered; the first answer counts. */
export interface QuestionAnswered {
  readonly questionId: string;
  readonly answer?: string | null;
  readonly answeredBy?: string | null;
  readonly timestamp?: string | null;
}

/**
 * `question:closed`: A question needs no answer any more.
 *
 * `reason` is `expired`, `withdrawn` by whoever asked, or `elsewhere`: it was decided in another place.
 */
export interface QuestionClosed {
  readonly questionId: string;
  readonly reason?: string | null;
  readonly timestamp?: string | null;
}

/** `notification:started`: From here on people are told outside the dashboard; what was there before is not told. */
export interface NotificationStarted {
  readonly rules?: readonly string[] | null;
  readonly destinations?: readonly string[] | null;
  readonly timestamp?: string | null;
}

/**
 * `notification:sent`: Somebody was told outside the dashboard; `eventIds` are the first events that the message is about, of `count`.
 *
 * `destination` is where it went, without anything secret; `test` marks a message that somebody asked for to try it.
 */
export interface NotificationSent {
  readonly rule?: string | null;
  readonly destination?: string | null;
  readonly title?: string | null;
  readonly body?: string | null;
  readonly count?: number | null;
  readonly eventIds?: readonly number[] | null;
  readonly attempts?: number | null;
  readonly test?: boolean | null;
  readonly timestamp?: string | null;
}

/** `notification:failed`: Somebody could not be told, and will not be: `error` says why the last attempt failed. */
export interface NotificationFailed {
  readonly rule?: string | null;
  readonly destination?: string | null;
  readonly title?: string | null;
  readonly body?: string | null;
  readonly count?: number | null;
  readonly eventIds?: readonly number[] | null;
  readonly attempts?: number | null;
  readonly test?: boolean | null;
  readonly timestamp?: string | null;
  readonly error?: string | null;
}

/**
 * `standup:held`: A standup was held: what each agent did since the one before it; only the server publishes this.
 *
 * `standup` has `id`, `trigger` (`request` or `schedule`), `from` and `to` (each with `time` and `cursor`), `since`
 * (when counting began), `complete` (false where events between `from` and `since` were gone), `agents`, `totals` and
 * `alerts`; the HTTP reference describes each.
 */
export interface StandupHeld {
  readonly standup: Data;
  readonly timestamp?: string | null;
}

/** `system:alert`: Something needs attention. */
export interface SystemAlert {
  readonly timestamp?: string | null;
  readonly level?: "critical" | "info" | "warning" | null;
  readonly message: string;
  readonly details?: unknown;
}

/** `system:status`: The gateway's status changed. */
export interface SystemStatus {
  readonly status?: string | null;
  readonly previousStatus?: string | null;
  readonly details?: unknown;
  readonly timestamp?: string | null;
}

/**
 * `file:change`: A file of the workspace changed; `path` is relative to the workspace, `size` in bytes.
 *
 * `foundAtStart` marks what changed while the server was down.
 */
export interface FileChange {
  readonly timestamp?: string | null;
  readonly action?: "created" | "deleted" | "modified" | null;
  readonly path: string;
  readonly agentId?: string | null;
  readonly size?: number | null;
  readonly extension?: string | null;
  readonly foundAtStart?: boolean | null;
}

/** `state:baseline`: What a source found when it first saw the workspace: state, told once and whole, not as changes. */
export interface StateBaseline {
  readonly source?: string | null;
  readonly agents?: readonly Data[] | null;
  readonly tasks?: readonly Data[] | null;
  readonly leads?: readonly Data[] | null;
  readonly tokens?: Data | null;
  readonly gateway?: Data | null;
  readonly timestamp?: string | null;
}

/** The data of each type of event. */
export interface EventDataByType {
  readonly "agent:statusChange": AgentStatusChange;
  readonly "agent:activity": AgentActivity;
  readonly "agent:updated": AgentUpdated;
  readonly "agent:removed": AgentRemoved;
  readonly "task:created": TaskCreated;
  readonly "task:updated": TaskUpdated;
  readonly "task:completed": TaskCompleted;
  readonly "task:assigned": TaskAssigned;
  readonly "task:deleted": TaskDeleted;
  readonly "lead:added": LeadAdded;
  readonly "lead:updated": LeadUpdated;
  readonly "lead:scored": LeadScored;
  readonly "lead:removed": LeadRemoved;
  readonly "token:usage": TokenUsage;
  readonly "token:threshold": TokenThreshold;
  readonly "question:asked": QuestionAsked;
  readonly "question:answered": QuestionAnswered;
  readonly "question:closed": QuestionClosed;
  readonly "notification:started": NotificationStarted;
  readonly "notification:sent": NotificationSent;
  readonly "notification:failed": NotificationFailed;
  readonly "standup:held": StandupHeld;
  readonly "system:alert": SystemAlert;
  readonly "system:status": SystemStatus;
  readonly "file:change": FileChange;
  readonly "state:baseline": StateBaseline;
}

export const EVENT_TYPES = {
  AGENT_STATUS_CHANGE: "agent:statusChange",
  AGENT_ACTIVITY: "agent:activity",
  AGENT_UPDATED: "agent:updated",
  AGENT_REMOVED: "agent:removed",
  TASK_CREATED: "task:created",
  TASK_UPDATED: "task:updated",
  TASK_COMPLETED: "task:completed",
  TASK_ASSIGNED: "task:assigned",
  TASK_DELETED: "task:deleted",
  LEAD_ADDED: "lead:added",
  LEAD_UPDATED: "lead:updated",
  LEAD_SCORED: "lead:scored",
  LEAD_REMOVED: "lead:removed",
  TOKEN_USAGE: "token:usage",
  TOKEN_THRESHOLD: "token:threshold",
  QUESTION_ASKED: "question:asked",
  QUESTION_ANSWERED: "question:answered",
  QUESTION_CLOSED: "question:closed",
  NOTIFICATION_STARTED: "notification:started",
  NOTIFICATION_SENT: "notification:sent",
  NOTIFICATION_FAILED: "notification:failed",
  STANDUP_HELD: "standup:held",
  SYSTEM_ALERT: "system:alert",
  SYSTEM_STATUS: "system:status",
  FILE_CHANGE: "file:change",
  STATE_BASELINE: "state:baseline",
} as const;
