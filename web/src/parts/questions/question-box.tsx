import { useSignal } from "@preact/signals";
import type { Office } from "../../dashboard/office";
import { openQuestions } from "../../fleet/asking";
import { QuestionCard } from "./question-card";
import { useSteady } from "./steady";

/** On the floor: the question that has waited longest, as a box of speech that can be answered, or put away. */
export function QuestionBox({ office }: { office: Office }) {
  const { live, answering } = office;
  const away = useSignal<ReadonlySet<string>>(new Set());
  const answered = useSignal<ReadonlySet<string>>(new Set());
  const all = live.fleet.value?.questions ?? [];
  const { slots, shift, over } = useSteady(all, openQuestions(all), live.pastAt.value !== null);
  const given = answering.given.value;
  const lines = slots.filter(({ id }) => given.has(id));
  if (lines.some(({ id }) => !answered.peek().has(id))) {
    // What was answered here needs no outcome: it has just been seen.
    answered.value = new Set([...answered.peek(), ...lines.map(({ id }) => id)]);
  }
  const waiting = slots.filter(
    ({ id, status }) =>
      !(given.has(id) || away.value.has(id) || (status !== "open" && answered.value.has(id))),
  );
  const first = waiting[0];
  const frozen = live.pastAt.value !== null || live.frozenAt.value !== null;
  if (frozen || (first === undefined && lines.length === 0)) {
    return null;
  }
  return (
    <section
      class="panel question-box"
      aria-label="A question"
      onPointerEnter={() => {
        over.value = true;
      }}
      onPointerLeave={() => {
        over.value = false;
      }}
    >
      {lines.map((question) => (
        <QuestionCard key={question.id} office={office} question={question} shift={shift} />
      ))}
      {first && <QuestionCard key={first.id} office={office} question={first} shift={shift} />}
      {first && (
        <p class="more">
          <a href="/questions">{waiting.length > 1 ? `${waiting.length - 1} more` : "Open"}</a>
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
      )}
    </section>
  );
}
