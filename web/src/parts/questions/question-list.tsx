import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { openQuestions } from "../../fleet/asking";
import { QuestionCard } from "./question-card";
import { useSteady } from "./steady";

/** How many are shown at a time: a person decides one after the other, and each is read whole. */
const MOST_SHOWN = 30;

interface QuestionListProps {
  readonly office: Office;
  /** Whose questions; without it everybody's. */
  readonly agentId?: string;
  /** Gets the ids of those that are shown, the ones that have ended included. */
  readonly shown?: Signal<ReadonlySet<string>>;
  /** What is shown while there are none. */
  readonly empty?: ComponentChildren;
}

/** The open questions, the oldest first; none moves while the pointer is over them. */
export function QuestionList({ office, agentId, shown, empty }: QuestionListProps) {
  const { live } = office;
  const all = live.fleet.value?.questions ?? [];
  const open = openQuestions(all).filter((question) => agentId === undefined || question.agentId === agentId);
  const { slots, shift, over } = useSteady(all, open, live.pastAt.value !== null);
  const more = slots.length - MOST_SHOWN;
  useEffect(() => {
    if (shown && !(slots.length === shown.peek().size && slots.every(({ id }) => shown.peek().has(id)))) {
      shown.value = new Set(slots.map(({ id }) => id));
    }
  });
  return slots.length === 0 ? (
    empty
  ) : (
    <>
      <ul
        class="question-list"
        onPointerEnter={() => {
          over.value = true;
        }}
        onPointerLeave={() => {
          over.value = false;
        }}
      >
        {slots.slice(0, MOST_SHOWN).map((question) => (
          <li key={question.id}>
            <QuestionCard office={office} question={question} shift={shift} />
          </li>
        ))}
      </ul>
      {more > 0 && <p class="empty">{more} more will be shown when some of these are answered.</p>}
    </>
  );
}
