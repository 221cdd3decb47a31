import { useSignal } from "@preact/signals";
import type { Office } from "../office";
import { openQuestions } from "./asking";
import { QuestionCard } from "./question-card";

/** On the floor: the question that has waited longest, as a box of speech that can be answered, or put away. */
export function QuestionBox({ office }: { office: Office }) {
  const { live, answering } = office;
  const away = useSignal<ReadonlySet<string>>(new Set());
  const open = openQuestions(live.fleet.value?.questions ?? []);
  const shown = open.filter(({ id }) => !(away.value.has(id) || answering.given.value.has(id)));
  const first = shown[0];
  if (first === undefined || live.pastAt.value !== null || live.frozenAt.value !== null) {
    return null;
  }
  return (
    <section class="panel question-box" aria-label="A question">
      <QuestionCard key={first.id} office={office} question={first} />
      <p class="more">
        {open.length > 1 && <a href="/questions">{open.length - 1} more</a>}
        <button
          type="button"
          class="close"
          aria-label="Not now"
          onClick={() => {
            away.value = new Set([...away.value, first.id]);
          }}
        >
          ✕
        </button>
      </p>
    </section>
  );
}
