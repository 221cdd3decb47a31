import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import type { LiveFleet } from "../../fleet/live";
import { useAddressQuery } from "../../page/address-query";
import { pathOfLead } from "../../page/route";
import { HostBadge } from "../../parts/host-badge";
import { counted, whole } from "../../words/figures";
import "../../styles/leads.css";
import { Gauge } from "../../parts/gauge";
import { type Lead, leadFrom, pipelineOf, type Stage } from "./lead";
import { LeadFinder } from "./lead-finder";
import { LeadSheet } from "./lead-sheet";
import { ScoreSummary } from "./score-summary";
import {
  choicesOfFilter,
  filtered,
  filterIn,
  type LeadFilter,
  NO_FILTER,
  scoringOf,
  TIERS,
  tierOf,
} from "./scoring";

const MOST_CARDS = 40;

export function LeadsView({ office }: { office: Office }) {
  const { live, router } = office;
  const filter = useSignal<LeadFilter>(useMemo(() => filterIn(location.search), []));
  useAddressQuery(router, "leads", () => choicesOfFilter(filter.value));
  const records = live.fleet.value?.leads;
  const leads = useMemo(() => records?.map(leadFrom), [records]);
  const found = useMemo(() => filtered(leads ?? [], filter.value), [leads, filter.value]);
  const scoring = useMemo(() => scoringOf(found), [found]);
  const narrowed = filter.value !== NO_FILTER && found.length < (leads?.length ?? 0);
  const route = router.route.value;
  const id = route.view === "leads" ? route.id : null;
  return (
    <section class={id === null ? "panel leads" : "panel leads with-sheet"} aria-labelledby="leads-title">
      <h2 id="leads-title" class="ribbon">
        Leads {leads && <span class="count">{whole(leads.length)}</span>}
      </h2>
      <p class="beside-title">
        <a href="/opportunities">Opportunities</a>
      </p>
      <LeadFinder
        filter={filter}
        leads={leads ?? []}
        found={found}
        status={narrowed && leads ? `${counted(found.length, "lead")} of ${whole(leads.length)}` : ""}
      />
      <ScoreSummary scoring={scoring} />
      <div class="tasks-body">
        {leads === undefined ? (
          <p class="empty">{live.waitingWord.value}</p>
        ) : leads.length === 0 ? (
          <NoLeads workspace={live.workspace.value} />
        ) : found.length === 0 ? (
          <p class="empty">No lead is like that.</p>
        ) : (
          <div class="board pipeline">
            {pipelineOf(found).map((stage) => (
              <StageColumn key={stage.name} stage={stage} live={live} />
            ))}
          </div>
        )}
        {id !== null && (
          <LeadSheet key={id} office={office} id={id} lead={leads?.find((lead) => lead.id === id) ?? null} />
        )}
      </div>
    </section>
  );
}

function StageColumn({ stage: { name, leads }, live }: { stage: Stage; live: LiveFleet }) {
  const rest = leads.length - MOST_CARDS;
  return (
    <section class="column" aria-label={name}>
      <h3>
        <span class="stage" dir="auto">
          {name}
        </span>{" "}
        <span class="count">{whole(leads.length)}</span>
      </h3>
      <ol>
        {leads.slice(0, MOST_CARDS).map((lead) => (
          <LeadCard key={lead.id} lead={lead} live={live} />
        ))}
      </ol>
      {leads.length === 0 && <p class="column-note">Nothing here</p>}
      {rest > 0 && <p class="column-note">and {whole(rest)} more: search to narrow</p>}
    </section>
  );
}

function LeadCard({ lead, live }: { lead: Lead; live: LiveFleet }) {
  const { id, title, detail, score, record } = lead;
  const tier = tierOf(lead);
  return (
    <li class="task-card lead-card">
      <a href={pathOfLead(id)} class="task-title" dir="auto">
        {title}
      </a>
      {detail && (
        <p class="lead-detail" dir="auto">
          {detail}
        </p>
      )}
      <p class="lead-score">
        {score === null ? (
          "not scored"
        ) : (
          <>
            <b>{Math.round(score)}</b> <Gauge percent={score} label="Score" level="fine" />
          </>
        )}{" "}
        {tier !== null && TIERS.some((known) => known === tier) && (
          <span class={`priority ${tier}`}>{tier}</span>
        )}
        <HostBadge live={live} host={live.hostOf(record)} />
      </p>
    </li>
  );
}

function NoLeads({ workspace }: { workspace: string | null }) {
  return (
    <div class="empty">
      <p>
        No leads yet. They are read from this file as soon as there is one, and followed while it changes:
      </p>
      <pre>{`${workspace ?? "WORKSPACE"}/mission-control/data/leads.json\n\n[{"id": "lead_001", "company": "…", "score": 72, "factors": {"size": 30}}]`}</pre>
    </div>
  );
}
