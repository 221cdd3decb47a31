import { Floor } from "./floor/floor";
import type { Office } from "./office";
import { QuestionBox } from "./questions/question-box";
import { pathOfAgent } from "./route";

export function FloorView({ office }: { office: Office }) {
  return (
    <div class="floor-view">
      <Floor office={office} open={(id) => office.router.go(pathOfAgent(id))} />
      <QuestionBox office={office} />
    </div>
  );
}
