import type { Office } from "../../dashboard/office";
import { pathOfAgent } from "../../page/route";
import { QuestionBox } from "../../parts/questions/question-box";
import { Floor } from "./floor";

export function FloorView({ office }: { office: Office }) {
  return (
    <div class="floor-view">
      <Floor office={office} open={(id) => office.router.go(pathOfAgent(id))} />
      <QuestionBox office={office} />
    </div>
  );
}
