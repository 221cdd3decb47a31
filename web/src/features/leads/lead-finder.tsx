import type { Signal } from "@preact/signals";
import { download } from "../../page/download";
import { SearchField } from "../../parts/search-field";
import type { Lead } from "./lead";
import { choicesOf, csvOf, type LeadFilter, TIERS } from "./scoring";

interface LeadFinderProps {
  readonly filter: Signal<LeadFilter>;
  readonly leads: readonly Lead[];
  readonly found: readonly Lead[];
  /** What the search comes to, as a sentence. */
  readonly status: string;
}

/** Search and filters over leads, and what they find as a file. */
export function LeadFinder({ filter, leads, found, status }: LeadFinderProps) {
  const set = (change: Partial<LeadFilter>) => {
    filter.value = { ...filter.value, ...change };
  };
  return (
    <search class="finder">
      <SearchField
        label="Search leads"
        placeholder="Search: a company, a name, a region"
        text={filter.value.text}
        search={(text) => set({ text })}
      />
      <Choice
        label="Tier"
        all="All tiers"
        options={TIERS}
        value={filter.value.tier}
        choose={(tier) => set({ tier })}
      />
      <Choice
        label="Region"
        all="All regions"
        options={choicesOf(leads, "region")}
        value={filter.value.region}
        choose={(region) => set({ region })}
      />
      <Choice
        label="Industry"
        all="All industries"
        options={choicesOf(leads, "industry")}
        value={filter.value.industry}
        choose={(industry) => set({ industry })}
      />
      <label class="least-score">
        <span class="unseen">Score from</span>
        <input
          type="number"
          min="0"
          max="100"
          placeholder="Score from"
          value={filter.value.leastScore || ""}
          onInput={(event) => set({ leastScore: Number(event.currentTarget.value) || 0 })}
        />
      </label>
      <button
        type="button"
        disabled={found.length === 0}
        onClick={() => download("leads.csv", csvOf(found), "text/csv")}
      >
        CSV
      </button>
      <p class="found" role="status">
        {status}
      </p>
    </search>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly all: string;
  readonly options: readonly string[];
  readonly value: string;
  readonly choose: (value: string) => void;
}

function Choice({ label, all, options, value, choose }: ChoiceProps) {
  return options.length === 0 ? null : (
    <label>
      <span class="unseen">{label}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{all}</option>
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}
