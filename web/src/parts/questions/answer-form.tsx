import { useRef } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import type { Option, Review } from "../../fleet/review";
import type { Question } from "../../state";
import { Marked } from "./marked";

const MOST_LETTERS = 20_000;

interface AnswerFormProps {
  readonly office: Office;
  readonly question: Question;
  readonly review: Review;
  /** Whether it has been there for long enough to be used. */
  readonly armed: boolean;
  /** Whether all of what is asked has been on the screen: before that nothing is approved. */
  readonly seen: boolean;
}

/** The answers there are, the dangerous ones last; or a field where any text will do. */
export function AnswerForm({ office, question, review, armed, seen }: AnswerFormProps) {
  const field = useRef<HTMLInputElement>(null);
  const refusal = office.answering.refusals.value.get(question.id);
  const { digest, options } = review;

  function give(answer: string, label: string): void {
    office.answering.answer(question, { answer, label, digest });
  }

  function choose(option: Option | undefined): void {
    if (option && armed && (seen || option.refuses)) {
      give(option.text, option.label);
    }
  }

  return (
    <>
      {!seen && (
        <p class="unread">
          <span aria-hidden="true">▼</span> Scroll through all of it, then answer.
        </p>
      )}
      {options.length > 0 ? (
        <fieldset
          class="answers"
          aria-label="Answers"
          onKeyDown={({ key }) => choose(/^[1-9]$/.test(key) ? options[Number(key) - 1] : undefined)}
        >
          {options.map((option, place) => (
            <button
              key={option.text}
              type="button"
              class={option.dangerous ? "danger" : place === 0 ? "" : "quiet"}
              disabled={!(armed && (seen || option.refuses))}
              onClick={() => choose(option)}
            >
              {options.length > 1 && place < 9 && <kbd>{place + 1}</kbd>}{" "}
              <span>
                <Marked text={option.label} />
              </span>
              {option.dangerous && <span class="unseen"> (dangerous)</span>}
            </button>
          ))}
        </fieldset>
      ) : (
        <form
          class="answers"
          onSubmit={(event) => {
            event.preventDefault();
            const answer = field.current?.value.trim();
            if (answer && armed && seen) {
              give(answer, answer);
            }
          }}
        >
          <label class="grow">
            <span class="unseen">Your answer</span>
            <input
              ref={field}
              placeholder="Your answer"
              maxLength={MOST_LETTERS}
              autocomplete="off"
              dir="auto"
            />
          </label>
          <button type="submit" disabled={!(armed && seen)}>
            Answer
          </button>
        </form>
      )}
      {refusal !== undefined && (
        <p class="refusal" role="alert">
          Not answered: {refusal}
        </p>
      )}
    </>
  );
}
