import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { pathOfAgent, pathOfTask } from "../../page/route";
import type { Question } from "../../state";
import { ago, moment } from "../../words/age";
import { HostBadge } from "../host-badge";
import { Portrait } from "../portrait";
import "../../styles/questions.css";
import "../../styles/review.css";
import type { Given } from "../../fleet/answering";
import { elsewhere, outcomeOf } from "../../fleet/asking";
import { AnswerForm } from "./answer-form";
import { type Armed, useArmed } from "./armed";
import { Marked } from "./marked";
import { ReviewBox } from "./review-box";

const KIND_WORDS = { question: "asks", permission: "asks for permission", budget: "has spent its budget" };

interface QuestionCardProps {
  readonly office: Office;
  readonly question: Question;
  /** Changes when cards have moved: what is under the pointer then may be another one than a moment before. */
  readonly shift?: number;
}

/** A question as somebody says it: who asks, what, and the answers there are; once answered, a line with "Undo". */
export function QuestionCard({ office, question, shift = 0 }: QuestionCardProps) {
  const { live, answering } = office;
  const { id, kind, agentId, taskId, status } = question;
  const card = useRef<HTMLElement>(null);
  const height = useRef(0);
  const given = answering.given.value.get(id);
  const undecided = status === "open" && given === undefined;
  const known = undecided && office.reviews.of(question).value.review !== null;
  // With what is asked the answers come to their place, and with "Undo" something else is there.
  const guard = useArmed(`${shift} ${known} ${given === undefined}`);
  useLayoutEffect(() => {
    if (undecided && card.current) {
      height.current = card.current.offsetHeight;
    }
  });
  // What is below stays where it is.
  const style = undecided ? {} : { "--kept-height": `${height.current}px` };
  const now = live.now.value;
  const [asked, expires] = [moment(question.askedAt), moment(question.expiresAt)];
  const name = agentId === null ? (kind === "budget" ? "The fleet" : "Somebody") : live.nameOf(agentId);
  const asker =
    agentId === null ? (
      <bdi>{name}</bdi>
    ) : (
      <a href={pathOfAgent(agentId)}>
        <bdi>{name}</bdi>
      </a>
    );
  if (given !== undefined) {
    return (
      <article ref={card} class="question given" style={style} onPointerLeave={guard.left}>
        <GivenLine office={office} id={id} given={given} name={name} armed={guard.armed} />
      </article>
    );
  }
  return (
    <article
      ref={card}
      class={`question ${kind} ${status}`}
      style={style}
      aria-labelledby={`question-${id}`}
      onPointerLeave={guard.left}
    >
      {agentId === null ? (
        <span class="asker" aria-hidden="true">
          {kind === "budget" ? "$" : "?"}
        </span>
      ) : (
        <Portrait id={agentId} size="middle" />
      )}
      <div class="speech">
        <h3 id={`question-${id}`}>
          {asker} {KIND_WORDS[kind]} <HostBadge live={live} host={live.hostOf(question)} />
        </h3>
        {status === "open" ? (
          <Open office={office} question={question} guard={guard} />
        ) : (
          <>
            <p class="asked">
              <bdo dir="ltr">{question.text}</bdo>
            </p>
            <Whole office={office} question={question} />
            <p class="outcome">{outcomeOf(question)}</p>
          </>
        )}
        <p class="when">
          {asked !== null && ago(asked, now)}
          {typeof taskId === "string" && (
            <>
              , about <a href={pathOfTask(taskId)}>{taskId}</a>
            </>
          )}
          {status === "open" && expires !== null && `, ${until(expires, now)}`}
        </p>
      </div>
    </article>
  );
}

function GivenLine(props: { office: Office; id: string; given: Given; name: string; armed: boolean }) {
  const { office, id, given, name, armed } = props;
  return (
    <p class={`given-line ${given.stage}`} role="status">
      <span>
        <b>
          <bdi>{name}</bdi>
        </b>
        : <Marked text={given.label} />
      </span>
      <span aria-hidden="true">·</span>
      {given.stage === "undoable" ? (
        <button type="button" class="quiet" disabled={!armed} onClick={() => office.answering.undo(id)}>
          Undo
        </button>
      ) : (
        <span>{given.stage === "sending" ? "sending …" : "sent"}</span>
      )}
    </p>
  );
}

function Open({ office, question, guard }: { office: Office; question: Question; guard: Armed }) {
  const { live, reviews } = office;
  const seen = useSignal(false);
  const { review, failure } = reviews.of(question).value;
  if (review === null) {
    return (
      <>
        <p class="asked">
          <bdo dir="ltr">{question.text}</bdo>
        </p>
        {failure === null ? (
          <p class="elsewhere">Loading what it is about …</p>
        ) : (
          <p class="refusal" role="alert">
            It cannot be shown whole, and so not be answered: {failure}{" "}
            <button type="button" class="quiet" onClick={() => reviews.retry(question)}>
              Try again
            </button>
          </p>
        )}
      </>
    );
  }
  const note = review.complete ? elsewhere(question) : null;
  return (
    <>
      <ReviewBox
        review={review}
        seen={() => {
          seen.value = true;
        }}
      />
      {note !== null || !review.complete ? (
        <p class="elsewhere">{note}</p>
      ) : live.pastAt.value !== null ? (
        <p class="elsewhere">It was open then; answer it in the present.</p>
      ) : (
        <AnswerForm
          office={office}
          question={question}
          review={review}
          armed={guard.armed}
          seen={seen.value}
        />
      )}
    </>
  );
}

/** What was shown of a question that is over. */
function Whole({ office, question }: { office: Office; question: Question }) {
  const open = useSignal(false);
  return (
    <details
      class="whole"
      onToggle={(event) => {
        open.value = event.currentTarget.open;
      }}
    >
      <summary>All of it</summary>
      {open.value && <WholeReview office={office} question={question} />}
    </details>
  );
}

function WholeReview({ office, question }: { office: Office; question: Question }) {
  const { review, failure } = office.reviews.of(question).value;
  return review === null ? (
    <p class="elsewhere">{failure ?? "Loading …"}</p>
  ) : (
    <ReviewBox review={review} seen={() => {}} />
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
