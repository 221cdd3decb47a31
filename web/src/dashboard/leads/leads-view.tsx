import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { counted, whole } from "../figures";
import { HostBadge } from "../host-badge";
import type { LiveFleet } from "../live";
import type { Office } from "../office";
import { pathOfLead } from "../route";
import "../styles/leads.css";
import { SearchField } from "../search-field";
import { Gauge } from "../tokens/gauge";
import { type Lead, leadFrom, pipelineOf, type Stage } from "./lead";
import { LeadSheet } from "./lead-sheet";

const MOST_CARDS = 40;

export function LeadsView({ office }: { office: Office }) {
  const { live, router } = office;
  const search = useSignal("");
  const records = live.fleet.value?.leads;
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const leads = useMemo(() => records?.map(leadFrom), [records]);
  const found = leads?.filter((lead) => words.every((word) => lead.words.includes(word))) ?? [];
  const route = router.route.value;
  const id = route.view === "leads" ? route.id : null;
  return (
    <section class={id === null ? "panel leads" : "panel leads with-sheet"} aria-labelledby="leads-title">
      <h2 id="leads-title" class="ribbon">
        Leads {leads && <span class="count">{whole(leads.length)}</span>}
      </h2>
      <search class="finder">
        <SearchField
          label="Search leads"
          placeholder="Search: a company, a name, a region"
          text={search.value}
          search={(typed) => {
            search.value = typed;
          }}
        />
        <p class="found" role="status">
          {words.length > 0 && leads ? `${counted(found.length, "lead")} of ${whole(leads.length)}` : ""}
        </p>
      </search>
      <div class="tasks-body">
        {leads === undefined ? (
          <p class="empty">{live.waitingWord.value}</p>
        ) : leads.length === 0 ? (
          <NoLeads workspace={live.workspace.value} />
        ) : found.length === 0 ? (
          <p class="empty">No lead has all of these words.</p>
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
