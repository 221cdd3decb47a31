import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Question } from "../../client/state";
import { ago, moment } from "../age";
import { isolated } from "../direction";
import { HostBadge } from "../host-badge";
import type { Office } from "../office";
import { Portrait } from "../portrait";
import { pathOfAgent, pathOfTask } from "../route";
import "../styles/questions.css";
import { elsewhere, outcomeOf, wordingOf } from "./asking";

const KIND_WORDS = { question: "asks", permission: "asks for permission", budget: "has spent its budget" };
const MOST_LETTERS = 20_000;

interface QuestionCardProps {
  readonly office: Office;
  readonly question: Question;
}

/** A question as somebody says it: who asks, what, and the answers there are. */
export function QuestionCard({ office, question }: QuestionCardProps) {
  const { live } = office;
  const { id, kind, text, agentId, taskId, status } = question;
  const now = live.now.value;
  const [asked, expires] = [moment(question.askedAt), moment(question.expiresAt)];
  const host = live.hostOf(question);
  const wording = wordingOf(question);
  const name = agentId === null ? (kind === "budget" ? "The fleet" : "Somebody") : live.nameOf(agentId);
  return (
    <article class={`question ${kind} ${status}`} aria-labelledby={`question-${id}`}>
      {agentId === null ? (
        <span class="asker" aria-hidden="true">
          {kind === "budget" ? "$" : "?"}
        </span>
      ) : (
        <Portrait id={agentId} size="middle" />
      )}
      <div class="speech">
        <h3 id={`question-${id}`}>
          {agentId === null ? (
            <bdi>{name}</bdi>
          ) : (
            <a href={pathOfAgent(agentId)}>
              <bdi>{name}</bdi>
            </a>
          )}{" "}
          {KIND_WORDS[kind]} <HostBadge live={live} host={host} />
        </h3>
        <p class="asked" dir="auto">
          {text}
        </p>
        {wording !== null && (
          <pre class="wording" dir="auto">
            {wording}
          </pre>
        )}
        {typeof taskId === "string" && (
          <p>
            about <a href={pathOfTask(taskId)}>{taskId}</a>
          </p>
        )}
        {status === "open" ? (
          <Answer office={office} question={question} />
        ) : (
          <p class="outcome">{outcomeOf(question)}</p>
        )}
        <p class="when">
          {asked !== null && ago(asked, now)}
          {status === "open" && expires !== null && `, ${until(expires, now)}`}
        </p>
      </div>
    </article>
  );
}

function Answer({ office, question }: QuestionCardProps) {
  const { live, answering } = office;
  const refusal = useSignal<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const given = answering.given.value.get(question.id);
  const note = elsewhere(question);
  if (note !== null) {
    return <p class="elsewhere">{note}</p>;
  }
  if (live.pastAt.value !== null) {
    return <p class="elsewhere">It was open then; answer it in the present.</p>;
  }
  if (given !== undefined) {
    return (
      <p class="outcome" aria-live="polite">
        Answering: {isolated(given)} …
      </p>
    );
  }

  async function send(answer: string): Promise<void> {
    refusal.value = null;
    refusal.value = await answering.answer(question, answer);
  }

  return (
    <>
      {question.options.length > 0 ? (
        <fieldset
          class="answers"
          aria-label="Answers"
          onKeyDown={({ key }) => {
            const option = /^[1-9]$/.test(key) ? question.options[Number(key) - 1] : undefined;
            if (option !== undefined) {
              void send(option);
            }
          }}
        >
          {question.options.map((option, place) => (
            <button
              key={option}
              type="button"
              class={place === 0 ? "" : "quiet"}
              onClick={() => void send(option)}
            >
              {question.options.length > 1 && place < 9 && <kbd>{place + 1}</kbd>}{" "}
              <span dir="auto">{option}</span>
            </button>
          ))}
        </fieldset>
      ) : (
        <form
          class="answers"
          onSubmit={(event) => {
            event.preventDefault();
            const answer = field.current?.value.trim();
            if (answer) {
              void send(answer);
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
          <button type="submit">Answer</button>
        </form>
      )}
      {refusal.value !== null && (
        <p class="refusal" role="alert">
          Not answered: {refusal.value}
        </p>
      )}
    </>
  );
}

function until(at: number, now: number): string {
  const seconds = Math.max(0, Math.ceil((at - now) / 1000));
  const [count, unit] =
    seconds >= 7200
      ? [Math.round(seconds / 3600), "h"]
      : seconds >= 120
        ? [Math.round(seconds / 60), "min"]
        : [seconds, "s"];
  return `${count} ${unit} left to answer`;
}
