/** Tells of what needs somebody as it happens: a note on the page, and, where allowed, one of the browser. */

import { isData, type LogEvent } from "../client/protocol";
import type { LiveFleet } from "../fleet/live";
import { chime } from "../page/chime";
import { pathOfAgent } from "../page/route";
import type { Router } from "../page/router";
import { serverNow } from "../page/server-clock";
import type { Settings } from "../page/settings";
import type { Toasts } from "../page/toasts";
import { isKind, kindOf } from "../state/status";
import { textOf } from "../words/agent-words";
import { isolated } from "../words/direction";

export interface Notice {
  readonly text: string;
  readonly level: "warning" | "critical";
  readonly path: string;
  /** The agent that it is about, if any. */
  readonly agent: string | null;
}

/** What is older was missed, not lived through: the sentence and the bell have it. */
const FRESH_MS = 60_000;

/** What an event asks of a person; null for all but critical alerts, questions and errors. */
export function noticeOf(
  event: LogEvent,
  nameOf: (id: string) => string,
  hostOf: (event: LogEvent) => string | null = () => null,
): Notice | null {
  const { type, data } = event;
  const message = textOf(data.message);
  if (type === "system:alert" && data.level === "critical" && message !== null) {
    const host = hostOf(event);
    const text = host === null ? message : `${isolated(host)}: ${isolated(message)}`;
    return { text, level: "critical", path: "/alerts", agent: null };
  }
  if (type === "question:asked" && isData(data.question)) {
    const [asked, agent] = [textOf(data.question.text), textOf(data.question.agentId)];
    if (asked !== null) {
      const who = agent === null ? "Somebody" : isolated(nameOf(agent));
      // What it is about is not in its text alone.
      const more = data.question.kind === "permission" ? " · open to see it all" : "";
      return { text: `${who} asks: ${isolated(asked)}${more}`, level: "warning", path: "/questions", agent };
    }
  }
  const [id, status] = [textOf(data.agentId), textOf(data.status)];
  if (type === "agent:statusChange" && id !== null && status !== null) {
    const kind = isKind(data.kind) ? data.kind : kindOf(status);
    const path = pathOfAgent(id);
    if (kind === "waiting") {
      const detail = isData(data.agent) ? textOf(data.agent.statusDetail) : null;
      const text = `${isolated(nameOf(id))} waits: ${isolated(detail ?? status)}`;
      return { text, level: "warning", path, agent: id };
    }
    if (kind === "error") {
      const text = `${isolated(nameOf(id))} has an error: ${isolated(status)}`;
      return { text, level: "warning", path, agent: id };
    }
  }
  return null;
}

export class Notices {
  readonly #live: LiveFleet;
  readonly #settings: Settings;
  readonly #toasts: Toasts;
  readonly #router: Router;

  constructor(live: LiveFleet, settings: Settings, toasts: Toasts, router: Router) {
    this.#live = live;
    this.#settings = settings;
    this.#toasts = toasts;
    this.#router = router;
  }

  start(): void {
    this.#live.follow((events) => {
      const recent = serverNow() - FRESH_MS;
      const fresh = events.filter(({ time }) => Date.parse(time) > recent);
      for (const event of fresh) {
        // Whoever changes its status no longer waits for what it has asked.
        if (event.type === "agent:statusChange" && noticeOf(event, this.#live.nameOf) === null) {
          this.#toasts.settle(textOf(event.data.agentId));
        }
      }
      // In a storm the last few say as much as all of them.
      const hostOf = (event: LogEvent) => this.#live.hostOfEvent(event);
      const asking = new Set(this.#live.fleet.peek()?.agents.flatMap(({ id, asks }) => (asks ? [id] : [])));
      const notices = fresh
        // Whoever asks has said so already.
        .filter(({ type, data }) => type !== "agent:statusChange" || !asking.has(textOf(data.agentId) ?? ""))
        .flatMap((event) => noticeOf(event, this.#live.nameOf, hostOf) ?? [])
        .slice(-10);
      for (const notice of notices) {
        this.#tell(notice);
      }
    });
  }

  #tell({ text, level, path, agent }: Notice): void {
    // On the alerts' own view it stands there already, and a question on the floor.
    const { view } = this.#router.route.peek();
    if (view !== "alerts" && !(path === "/questions" && (view === "questions" || view === "floor"))) {
      this.#toasts.say(text, level, path, agent);
    }
    if (this.#settings.sounds.peek()) {
      chime(level);
    }
    if (this.#settings.notifications.peek() && document.hidden) {
      this.#notify(text, path);
    }
  }

  #notify(text: string, path: string): void {
    const options = { body: text, tag: text, icon: "/icon.svg" };
    try {
      const note = new Notification("Mission Control", options);
      note.onclick = () => {
        window.focus();
        this.#router.go(path);
      };
    } catch {
      // Browsers of phones have the name, but allow it to service workers only.
      navigator.serviceWorker?.ready
        .then((worker) => worker.showNotification("Mission Control", { ...options, data: { path } }))
        .catch(() => {});
    }
  }
}
