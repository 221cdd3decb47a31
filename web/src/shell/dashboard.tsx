import { useComputed } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Office } from "../dashboard/office";
import { FloorView } from "../features/floor/floor-view";
import { Palette } from "../features/palette/palette";
import { Timeline } from "../features/rewind/timeline";
import type { Route } from "../page/route";
import { FlightList } from "./flight-list";
import { keepFocus } from "./keep-focus";
import { later, type View } from "./later";
import { Navigation } from "./navigation";
import { SentencePanel } from "./sentence-panel";
import { SignIn } from "./sign-in";
import { ToastList } from "./toast-list";
import { TopBar } from "./top-bar";

const AgentView = later(() => import("../features/agents/agent-view").then((loaded) => loaded.AgentView));
const AgentsView = later(() => import("../features/agents/agents-view").then((loaded) => loaded.AgentsView));
const AlertsView = later(() => import("../features/alerts/alerts-view").then((loaded) => loaded.AlertsView));
const ArchiveView = later(() =>
  import("../features/archive/archive-view").then((loaded) => loaded.ArchiveView),
);
const EventsView = later(() => import("../features/events/events-view").then((loaded) => loaded.EventsView));
const FilesView = later(() => import("../features/files/files-view").then((loaded) => loaded.FilesView));
const LeadsView = later(() => import("../features/leads/leads-view").then((loaded) => loaded.LeadsView));
const LedgerView = later(() => import("../features/ledger/ledger-view").then((loaded) => loaded.LedgerView));
const LogsView = later(() => import("../features/logs/logs-view").then((loaded) => loaded.LogsView));
const OpportunitiesView = later(() =>
  import("../features/opportunities/opportunities-view").then((loaded) => loaded.OpportunitiesView),
);
const QuestionsView = later(() =>
  import("../features/questions/questions-view").then((loaded) => loaded.QuestionsView),
);
const SearchView = later(() => import("../features/search/search-view").then((loaded) => loaded.SearchView));
const SettingsView = later(() =>
  import("../features/settings/settings-view").then((loaded) => loaded.SettingsView),
);
const StandupsView = later(() =>
  import("../features/standups/standups-view").then((loaded) => loaded.StandupsView),
);
const TasksView = later(() => import("../features/tasks/tasks-view").then((loaded) => loaded.TasksView));
const TokensView = later(() => import("../features/tokens/tokens-view").then((loaded) => loaded.TokensView));

const TranscriptView = later(() =>
  import("../features/transcripts/transcript-view").then((loaded) => loaded.TranscriptView),
);

const VIEWS: Readonly<Record<Exclude<Route["view"], "nowhere">, View>> = {
  floor: FloorView,
  agents: AgentsView,
  tasks: TasksView,
  tokens: TokensView,
  leads: LeadsView,
  files: FilesView,
  events: EventsView,
  alerts: AlertsView,
  questions: QuestionsView,
  opportunities: OpportunitiesView,
  archive: ArchiveView,
  logs: LogsView,
  standups: StandupsView,
  search: SearchView,
  agent: AgentView,
  session: TranscriptView,
  ledger: LedgerView,
  settings: SettingsView,
};

/** The whole page. While it is not live it stands still, without its colours: what it shows is the past. */
export function Dashboard({ office }: { office: Office }) {
  const { live, router, toasts } = office;
  const frozen = live.frozenAt.value !== null;
  const route = router.route.value;
  const waiting = useComputed(() => live.fleet.value === null);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const here = route.view;

  // Whoever goes to another view by keyboard, or hears the page, goes on in what is new.
  useEffect(() => {
    if (!first.current) {
      main.current?.focus({ preventScroll: true });
      main.current?.scrollTo(0, 0);
    }
    first.current = false;
  }, [here]);

  useEffect(() => {
    const seek = (event: KeyboardEvent) => {
      const free = event.target === document.body || event.target === main.current;
      if (event.key === "/" && free && !(event.ctrlKey || event.metaKey || event.altKey)) {
        event.preventDefault();
        router.go("/search");
      }
    };
    addEventListener("keydown", seek);
    return () => removeEventListener("keydown", seek);
  }, [router]);

  useEffect(() => keepFocus(document.body, () => main.current?.focus({ preventScroll: true })), []);

  const Shown = route.view === "nowhere" ? Nowhere : VIEWS[route.view];
  return (
    <div class={`page${frozen ? " frozen" : ""}${live.pastAt.value === null ? "" : " past"}`}>
      <TopBar office={office} />
      <Navigation office={office} />
      <div class="view">
        <SentencePanel office={office} />
        <SignIn live={live} />
        <main ref={main} tabIndex={-1} aria-busy={waiting.value}>
          <Shown office={office} />
        </main>
        {(here === "floor" || live.pastAt.value !== null) && <Timeline live={live} rewind={office.rewind} />}
      </div>
      <FlightList flights={office.flights} />
      <ToastList toasts={toasts} />
      <Palette office={office} />
    </div>
  );
}

function Nowhere() {
  return (
    <section class="panel" aria-labelledby="nowhere-title">
      <h2 id="nowhere-title" class="ribbon">
        Nothing here
      </h2>
      <p class="empty">
        There is no view at this address. <a href="/">Go to the floor.</a>
      </p>
    </section>
  );
}
