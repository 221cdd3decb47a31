/** Questions to a person: who asks what, and what became of it. Of several with one id the first counts, and of several answers. */

import { type Data, isData, type LogEvent } from "../client/protocol";
import { KEPT_PER_KIND, MAX_OPEN_QUESTIONS } from "./limits";
import { byId, type Item, inOrder, put, type TableFold } from "./tables";
import { idIn, listIn, placeOf, textIn, timeOf } from "./values";

export type QuestionKind = "question" | "permission" | "budget";
export type QuestionStatus = "open" | "answered" | "closed";

export interface Question extends Item {
  readonly kind: QuestionKind;
  readonly text: string;
  /** None where any text will do. */
  readonly options: readonly string[];
  readonly agentId: string | null;
  /** RFC 3339. */
  readonly askedAt: string;
  /** Who has published it: a token's name, `operator` for a person, else the source. */
  readonly askedBy?: string;
  readonly status: QuestionStatus;
  /** The last event about it. */
  readonly event: number;
}

const KINDS: ReadonlySet<unknown> = new Set<QuestionKind>(["question", "permission", "budget"]);
const MOST = MAX_OPEN_QUESTIONS + KEPT_PER_KIND * (KINDS.size + 1);
const STATUSES: ReadonlySet<unknown> = new Set<QuestionStatus>(["open", "answered", "closed"]);

export const QUESTION_FOLDS: ReadonlyMap<string, TableFold<Question>> = new Map<string, TableFold<Question>>([
  ["question:asked", foldAsked],
  [
    "question:answered",
    (questions, data, event) => {
      const answer = textIn(data.answer);
      if (answer !== null) {
        const answeredBy = textIn(data.answeredBy);
        end(questions, data, event, {
          status: "answered",
          answer,
          answeredBy,
          answeredAt: timeOf(data, event),
        });
      }
    },
  ],
  [
    "question:closed",
    (questions, data, event) => {
      const reason = textIn(data.reason) ?? "withdrawn";
      end(questions, data, event, { status: "closed", reason, closedAt: timeOf(data, event) });
    },
  ],
]);

function foldAsked(questions: Map<string, Question>, data: Data, event: LogEvent): void {
  const { question } = data;
  const id = isData(question) ? idIn(question.id) : null;
  const text = isData(question) ? textIn(question.text) : null;
  if (!isData(question) || id === null || text === null) {
    return;
  }
  // An id is asked once: what people were shown of a question never changes.
  if (questions.has(id) || countOpen(questions) >= MAX_OPEN_QUESTIONS) {
    return;
  }
  const askedBy = textIn(event.by);
  const taskId = idIn(question.taskId);
  const details = question.details ?? null;
  const expiresAt = textIn(question.expiresAt);
  // No other fields than the server keeps: nobody is shown them.
  put(questions, MOST, {
    ...placeOf(id, event),
    ...(taskId !== null && { taskId }),
    ...(details !== null && { details }),
    ...(expiresAt !== null && { expiresAt }),
    id,
    text,
    kind: kindIn(question.kind),
    options: textsIn(question.options),
    agentId: idIn(question.agentId),
    askedAt: textIn(question.askedAt) ?? timeOf(data, event),
    status: "open",
    event: event.id,
    // Who has published it, which is not what the asker says of itself; logs of earlier releases do not know.
    ...(askedBy === null ? {} : { askedBy }),
  });
}

function countOpen(questions: ReadonlyMap<string, Question>): number {
  return [...questions.values()].filter(({ status }) => status === "open").length;
}

function end(
  questions: Map<string, Question>,
  data: Data,
  event: LogEvent,
  fields: Data & { readonly status: QuestionStatus },
): void {
  const question = questions.get(idIn(data.questionId) ?? "");
  if (question?.status !== "open") {
    return;
  }
  put(questions, MOST, { ...question, ...fields, event: event.id });
  const over = [...questions.values()].filter(
    ({ kind, status }) => kind === question.kind && status !== "open",
  );
  if (over.length > KEPT_PER_KIND) {
    questions.delete(over.reduce((oldest, one) => (one.event < oldest.event ? one : oldest)).id);
  }
}

export function questionsIn(told: unknown): Question[] {
  return inOrder(byId(listIn(told).filter(isQuestion)));
}

function isQuestion(value: unknown): value is Question {
  return (
    isData(value) &&
    typeof value.id === "string" &&
    typeof value.text === "string" &&
    Array.isArray(value.options) &&
    typeof value.askedAt === "string" &&
    typeof value.event === "number" &&
    KINDS.has(value.kind) &&
    STATUSES.has(value.status)
  );
}

function kindIn(value: unknown): QuestionKind {
  return value === "permission" || value === "budget" ? value : "question";
}

function textsIn(value: unknown): string[] {
  return listIn(value).filter((one) => typeof one === "string");
}
