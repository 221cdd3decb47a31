import { useSignal } from "@preact/signals";
import type { Office } from "../../dashboard/office";
import { openQuestions, pastQuestions } from "../../fleet/asking";
import { QuestionCard } from "../../parts/questions/question-card";
import { QuestionList } from "../../parts/questions/question-list";
import { SearchField } from "../../parts/search-field";
import { textOf } from "../../words/agent-words";

const MOST_SHOWN = 50;

/** What agents ask: what is open, and what became of the rest. */
export function QuestionsView({ office }: { office: Office }) {
  const { live } = office;
  const text = useSignal("");
  const shown = useSignal<ReadonlySet<string>>(new Set());
  const questions = live.fleet.value?.questions ?? null;
  const open = openQuestions(questions ?? []);
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  // One that has just ended is still in its place above.
  const past = pastQuestions(questions ?? []).filter(({ id }) => !shown.value.has(id));
  const over = past.filter((question) => {
    const name = question.agentId === null ? "" : live.nameOf(question.agentId);
    const all = `${question.text} ${name} ${textOf(question.answer) ?? ""} ${question.id}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
  return (
    <>
      <section class="panel questions" aria-labelledby="questions-title">
        <h2 id="questions-title" class="ribbon">
          They ask you {questions && <span class="count">{open.length}</span>}
        </h2>
        {questions === null ? (
          <p class="empty">{live.waitingWord.value}</p>
        ) : (
          <QuestionList
            office={office}
            shown={shown}
            empty={
              <p class="empty">
                Nobody waits for an answer. Agents ask over MCP (ask_person), by Claude Code's hooks, or with
                “mission-control ask”; a spent budget asks where budgets.on_exceed is set to “ask”.
              </p>
            }
          />
        )}
      </section>
      {past.length > 0 && (
        <section class="panel questions" aria-labelledby="answers-title">
          <h2 id="answers-title" class="ribbon">
            What became of the others
          </h2>
          <search class="finder">
            <SearchField
              label="Search questions"
              placeholder="Search questions and answers"
              text={text.value}
              search={(typed) => {
                text.value = typed;
              }}
            />
          </search>
          {over.length === 0 ? (
            <p class="empty">No question has these words.</p>
          ) : (
            <ul>
              {over.slice(0, MOST_SHOWN).map((question) => (
                <li key={question.id}>
                  <QuestionCard office={office} question={question} />
                </li>
              ))}
            </ul>
          )}
        </section>
      )}
    </>
  );
}
