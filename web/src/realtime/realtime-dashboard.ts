/**
 * Ties a page's own elements to the client: agents, tasks, tokens, leads, toasts and the connection's indicator.
 *
 * Elements are found by what a page marks them with; one that is not there is passed over. Text goes in as text: nothing
 * of an event is ever read as HTML, nor put into a selector.
 */

import { type AgentStatusChange, EVENT_TYPES, type LeadScored, type TokenUsage } from "../client/catalogue";
import type { ConnectionState } from "./options";
import type { MCRealtimeClient } from "./realtime-client";

export interface RealtimeDashboardOptions {
  readonly updateAgents?: boolean;
  readonly updateTasks?: boolean;
  readonly updateTokens?: boolean;
  readonly updateLeads?: boolean;
  readonly showNotifications?: boolean;
}

/** What a page may have for this to call. */
interface PageFunctions {
  readonly MC_DASHBOARD_V2?: { readonly loadTasks?: () => void };
  readonly refreshLeadData?: () => void;
  readonly showNotification?: (title: string, message: string, type: string) => void;
}

export const INDICATOR: Readonly<Record<ConnectionState, string>> = {
  connected: "● Live",
  connecting: "○ Connecting...",
  reconnecting: "↻ Reconnecting...",
  polling: "◐ Polling",
  disconnected: "○ Offline",
  error: "✕ Error",
};

const TOAST_MS = 5_000;
/** So many toasts stand at a time; those beyond are told of in one. */
const MAX_TOASTS = 4;

export class MCRealtimeDashboard {
  readonly client: MCRealtimeClient;
  readonly options: Required<RealtimeDashboardOptions>;
  #left = 0;

  constructor(client: MCRealtimeClient, options: RealtimeDashboardOptions = {}) {
    this.client = client;
    this.options = {
      updateAgents: true,
      updateTasks: true,
      updateTokens: true,
      updateLeads: true,
      showNotifications: true,
      ...options,
    };
    this.setupHandlers();
    this.updateConnectionIndicator(client.getState().state);
  }

  setupHandlers(): void {
    const { client, options } = this;
    if (options.updateAgents) {
      client.on(EVENT_TYPES.AGENT_STATUS_CHANGE, (data) => this.updateAgentStatus(data));
    }
    if (options.updateTasks) {
      client.on(EVENT_TYPES.TASK_CREATED, ({ task }) => {
        this.showNotification("Task Created", textOf(task.description));
        this.refreshTasks();
      });
      client.on(EVENT_TYPES.TASK_COMPLETED, ({ taskId }) => {
        this.showNotification("Task Completed", taskId);
        this.refreshTasks();
      });
      client.on(EVENT_TYPES.TASK_ASSIGNED, ({ agentId }) => {
        this.showNotification("Task Assigned", `To ${agentId}`);
        this.refreshTasks();
      });
      client.on(EVENT_TYPES.TASK_UPDATED, () => this.refreshTasks());
      client.on(EVENT_TYPES.TASK_DELETED, () => this.refreshTasks());
    }
    if (options.updateTokens) {
      client.on(EVENT_TYPES.TOKEN_USAGE, (data) => this.updateTokenDisplay(data));
      client.on(EVENT_TYPES.TOKEN_THRESHOLD, ({ agent, percentUsed, alert }) =>
        this.showNotification("Token Alert", `${agent}: ${percentUsed}% of budget used`, alert ?? undefined),
      );
    }
    if (options.updateLeads) {
      client.on(EVENT_TYPES.LEAD_ADDED, ({ lead }) => {
        this.showNotification("New Lead", textOf(lead.name ?? lead.company) || "Lead added");
        this.refreshLeads();
      });
      client.on(EVENT_TYPES.LEAD_UPDATED, () => this.refreshLeads());
      client.on(EVENT_TYPES.LEAD_SCORED, (data) => this.updateLeadScore(data));
    }
    client.on(EVENT_TYPES.SYSTEM_ALERT, ({ message, level }) =>
      this.showNotification("System Alert", message, level ?? undefined),
    );
    client.on("stateChange", ({ state }) => this.updateConnectionIndicator(state));
  }

  updateAgentStatus({ agentId, status }: Pick<AgentStatusChange, "agentId" | "status">): void {
    if (typeof status !== "string") {
      return;
    }
    for (const element of within("data-agent-id", agentId, ".agent-status, .status")) {
      const own = element.classList.contains("agent-status") ? "agent-status" : "status";
      element.textContent = status;
      element.className = `${own} ${wordOf(status)}`;
    }
  }

  refreshTasks(): void {
    page().MC_DASHBOARD_V2?.loadTasks?.();
  }

  refreshLeads(): void {
    page().refreshLeadData?.();
  }

  updateTokenDisplay({ agent, tokens }: Partial<TokenUsage>): void {
    if (tokens === null || tokens === undefined) {
      return;
    }
    const text = `${Number(tokens).toLocaleString()} tokens`;
    const own = agent === undefined ? [] : within("data-agent-id", agent, ".token-usage");
    const elements = own.length > 0 ? own : document.querySelectorAll(".token-usage:not([data-agent-id] *)");
    for (const element of elements) {
      element.textContent = text;
    }
  }

  updateLeadScore({ leadId, score }: Pick<LeadScored, "leadId" | "score">): void {
    if (score === null || score === undefined) {
      return;
    }
    for (const element of within("data-lead-id", leadId, ".lead-score")) {
      element.textContent = String(score);
      element.className = `lead-score score-${Math.floor(Number(score) / 20)}`;
    }
  }

  showNotification(title: string, message: string, type = "info"): void {
    if (!this.options.showNotifications) {
      return;
    }
    const { showNotification } = page();
    if (typeof showNotification === "function") {
      showNotification(title, message, type);
      return;
    }
    const toasts = document.querySelectorAll(".mc-toast:not(.mc-toast-more)");
    if (toasts.length >= MAX_TOASTS) {
      this.#left += 1;
      const more = document.querySelector(".mc-toast-more") ?? this.#toast("more", 0);
      more.textContent = `and ${this.#left} more`;
      return;
    }
    this.#left = 0;
    const toast = this.#toast(wordOf(type), TOAST_MS);
    const [strong, span] = [document.createElement("strong"), document.createElement("span")];
    strong.textContent = title;
    span.textContent = message;
    toast.append(strong, " ", span);
  }

  updateConnectionIndicator(state: ConnectionState): void {
    const indicator = document.querySelector(".ws-connection-indicator");
    if (indicator) {
      const known = state in INDICATOR ? state : "disconnected";
      indicator.className = `ws-connection-indicator ${known}`;
      indicator.textContent = INDICATOR[known];
    }
  }

  #toast(kind: string, milliseconds: number): HTMLElement {
    const toast = document.createElement("div");
    toast.className = `mc-toast mc-toast-${kind}`;
    toast.setAttribute("role", "status");
    document.body.append(toast);
    setTimeout(() => toast.remove(), milliseconds || TOAST_MS);
    return toast;
  }
}

function page(): PageFunctions {
  return globalThis as PageFunctions;
}

/** The elements below those with this attribute; compared as text, since an id may be anything. */
function within(attribute: string, value: string, selector: string): Element[] {
  return [...document.querySelectorAll(`[${attribute}]`)]
    .filter((element) => element.getAttribute(attribute) === value)
    .flatMap((element) => [...element.querySelectorAll(selector)]);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A word that can be a class; several become one. */
function wordOf(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}_-]+/gu, "-");
}
