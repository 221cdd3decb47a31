import { useSignal, useSignalEffect } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { SearchField } from "../../parts/search-field";
import { counted, whole } from "../../words/figures";
import "../../styles/opportunities.css";
import { Gauge } from "../../parts/gauge";
import { type Opportunity, OpportunityList } from "./opportunities";

const FILE = "mission-control/data/opportunities.json";
const MOST_SHOWN = 200;

export function OpportunitiesView({ office: { live } }: { office: Office }) {
  const opportunities = useMemo(() => new OpportunityList(), []);
  const search = useSignal("");

  useSignalEffect(() => {
    if (live.connection.value.stale) {
      return undefined;
    }
    void opportunities.read();
    return live.follow((events) => {
      if (events.some(({ type, data }) => type === "file:change" && data.path === FILE)) {
        void opportunities.read();
      }
    });
  });

  const found = opportunities.found.value;
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = (found?.list ?? []).filter(({ title, type, description }) => {
    const text = `${title} ${type ?? ""} ${description ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return (
    <section class="panel opportunities" aria-labelledby="opportunities-title">
      <h2 id="opportunities-title" class="ribbon">
        Opportunities {found && <span class="count">{whole(found.list.length)}</span>}
      </h2>
      {opportunities.trouble.value !== null && (
        <p class="refusal" role="alert">
          {opportunities.trouble.value}
        </p>
      )}
      {found?.note && opportunities.trouble.value === null && (
        <p class="refusal" role="alert">
          {found.note} What is shown is what it had before.
        </p>
      )}
      {found === null ? (
        opportunities.trouble.value === null && <p class="empty">Loading …</p>
      ) : found.list.length === 0 ? (
        <div class="empty">
          <p>No opportunities yet. They are read from this file as soon as there is one:</p>
          <pre>{`${live.workspace.value ?? "WORKSPACE"}/${FILE}\n\n{"opportunities": [{"id": "o1", "title": "…", "score": 85}]}`}</pre>
        </div>
      ) : (
        <>
          <search class="finder">
            <SearchField
              label="Search opportunities"
              placeholder="Search: a title, a type"
              text={search.value}
              search={(text) => {
                search.value = text;
              }}
            />
            <p class="found" role="status">
              {words.length > 0
                ? `${counted(matching.length, "opportunity", "opportunities")} of ${whole(found.list.length)}`
                : `${found.average.toFixed(1)} on average: ${found.high} high, ${found.medium} medium, ${found.low} low`}
            </p>
          </search>
          <ol class="opportunity-list" aria-labelledby="opportunities-title">
            {matching.slice(0, MOST_SHOWN).map((one) => (
              <Row key={one.key} opportunity={one} top={found.top.has(one.key)} />
            ))}
          </ol>
          {matching.length > MOST_SHOWN && (
            <p class="column-note">and {whole(matching.length - MOST_SHOWN)} more: search to narrow</p>
          )}
        </>
      )}
    </section>
  );
}

function Row({ opportunity: one, top }: { opportunity: Opportunity; top: boolean }) {
  return (
    <li class={top ? "opportunity top" : "opportunity"}>
      <p class="opportunity-score">
        {one.score === null ? "–" : <b>{Math.round(one.score)}</b>}
        {one.score !== null && <Gauge percent={one.score} label="Score" level="fine" />}
      </p>
      <div>
        <h3 dir="auto">
          {one.title} {top && <span class="badge">top five</span>}
        </h3>
        <p class="column-note" dir="auto">
          {[one.type, one.marketSize].filter((part) => part !== null).join(" · ")}
        </p>
        {one.description !== null && <p dir="auto">{one.description}</p>}
      </div>
    </li>
  );
}
