/** What all views share: the fleet, where the page is, and what can be done from anywhere. */

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { Answering } from "../fleet/answering";
import { openQuestions } from "../fleet/asking";
import { needsOf } from "../fleet/attention";
import { BudgetReader, overspendingOn } from "../fleet/budgets";
import { HostWatch } from "../fleet/host-watch";
import { LiveFleet } from "../fleet/live";
import { Reviews } from "../fleet/review";
import { Rewind, SERVER_ARCHIVE } from "../fleet/rewind";
import { TaskQueue } from "../fleet/task-queue";
import { Router } from "../page/router";
import { Settings } from "../page/settings";
import { Toasts } from "../page/toasts";
import { dayName } from "../words/calendar";
import { offerLedger } from "./day-end";
import { Flights } from "./flights";
import { tellNews } from "./news";
import { Notices } from "./notices";

export class Office {
  readonly live = new LiveFleet();
  readonly router = new Router();
  readonly settings = new Settings();
  readonly toasts = new Toasts();
  readonly budgetReader = new BudgetReader();
  readonly queue = new TaskQueue(this.live, this.toasts);
  readonly answering = new Answering(this.live, this.toasts);
  readonly reviews = new Reviews();
  readonly rewind = new Rewind(SERVER_ARCHIVE, this.live);
  readonly paletteOpen = signal(false);
  /** What needs a person, the worst first. */
  readonly needs = computed(() =>
    needsOf(
      this.live.fleet.value?.agents ?? [],
      this.live.alerts.value,
      openQuestions(this.live.fleet.value?.questions ?? []),
      this.live.nameOf,
      (record) => this.live.hostOf(record),
    ),
  );
  /** Who has spent nearly all, or more, of their budget. */
  readonly overspending = computed(() => {
    const [fleet, budgets] = [this.live.fleet.value, this.budgetReader.budgets.value];
    return fleet && budgets ? overspendingOn(fleet, budgets, this.today.value) : new Map<string, never>();
  });
  readonly flights = new Flights(() => this.settings.still.peek());
  /** The day by which use is counted: of the moment that is shown, and the server's where it has said so. */
  readonly today = computed(() => {
    const told = this.live.pastAt.value === null ? this.budgetReader.budgets.value?.day : undefined;
    return told ?? this.#localDay.value;
  });

  readonly #hostWatch = new HostWatch(this.live);
  /** The hosts that nobody speaks for, each with the time since when. */
  readonly awayHosts: ReadonlySignal<ReadonlyMap<string, string>> = this.#hostWatch.away;

  readonly #localDay = computed(() => dayName(this.live.now.value));
  readonly #notices = new Notices(this.live, this.settings, this.toasts, this.router);

  start(): void {
    this.settings.start();
    this.router.start();
    this.budgetReader.follow(this.live);
    this.#notices.start();
    this.#hostWatch.start();
    tellNews(this.live, this.toasts, this.router);
    offerLedger(this);
    this.live.start();
  }
}
