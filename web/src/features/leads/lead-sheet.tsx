import type { Office } from "../../dashboard/office";
import { useInSight } from "../../page/in-sight";
import { Gauge } from "../../parts/gauge";
import type { Lead } from "./lead";

interface LeadSheetProps {
  readonly office: Office;
  readonly id: string;
  readonly lead: Lead | null;
}

const SHOWN = new Set(["id", "score", "factors", "asInFile"]);

export function LeadSheet({ office, id, lead }: LeadSheetProps) {
  const sheet = useInSight<HTMLElement>();
  return (
    <aside ref={sheet} class="sheet" aria-label={id}>
      <header class="sheet-head">
        <h3 dir="auto">{lead?.title ?? id}</h3>
        <a href="/leads" class="close">
          <span aria-hidden="true">✕</span>
          <span class="unseen">Close {id}</span>
        </a>
      </header>
      {lead === null ? (
        <p class="empty">
          {office.live.fleet.value === null
            ? office.live.waitingWord.value
            : "There is no such lead: it is gone, or never was."}
        </p>
      ) : (
        <Sheet lead={lead} />
      )}
    </aside>
  );
}

function Sheet({ lead: { score, factors, record } }: { lead: Lead }) {
  const previous = record.previousScore;
  return (
    <>
      <p class="big-score">
        <b>{score === null ? "–" : Math.round(score)}</b>
        {score !== null && <Gauge percent={score} label="Score" level="fine" />}
        {typeof previous === "number" && <small>was {previous}</small>}
      </p>
      <h4>What it is made of</h4>
      {factors.length === 0 ? (
        <p class="column-note">Its source gives no factors.</p>
      ) : (
        <dl class="factors">
          {factors.map(({ name, value, text }) => (
            <div key={name}>
              <dt dir="auto">{name}</dt>
              <dd dir="auto">
                {value !== null && <b>{value > 0 ? `+${value}` : value}</b>} {text}
              </dd>
            </div>
          ))}
        </dl>
      )}
      <h4>What is known</h4>
      <dl class="known">
        {Object.entries(record)
          .filter(([name, value]) => !SHOWN.has(name) && value !== null && value !== "")
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name.replace(/([A-Z])/g, " $1").toLowerCase()}</dt>
              <dd dir="auto">{typeof value === "string" ? value : JSON.stringify(value)}</dd>
            </div>
          ))}
      </dl>
      <details class="raw">
        <summary>As its file has it</summary>
        <pre>{JSON.stringify(record, null, 2)}</pre>
      </details>
    </>
  );
}
