import type { Office } from "../../dashboard/office";
import type { Task } from "../../fleet/task";
import { pathOfAgent, pathOfTask } from "../../page/route";
import { ago, moment } from "../../words/age";

/** Those that stand in the form above, or below the task. */
const SHOWN = new Set(["id", "description", "status", "priority", "due", "tags", "notes", "subtasks"]);
const FIRST = [
  "assignedTo",
  "createdBy",
  "created",
  "updated",
  "startedAt",
  "completedAt",
  "assignedBy",
  "parentId",
];

/** What has become of a task: when, by whom, and every field that its owners have given it. */
export function DetailList({ office, task }: { office: Office; task: Task }) {
  const { record } = task;
  const now = office.live.now.value;
  const rest = Object.keys(record).filter((name) => !SHOWN.has(name) && !FIRST.includes(name));
  const agents = office.live.fleet.value?.agents ?? [];
  const children = (office.queue.tasks.value ?? [])
    .filter((one) => one.record.parentId === task.id)
    .slice(0, 20);
  return (
    <section class="details" aria-labelledby="details-title">
      <h4 id="details-title">History</h4>
      <dl>
        {[...FIRST, ...rest].map((name) => {
          const value = record[name];
          if (value === null || value === undefined || value === "" || isEmpty(value)) {
            return null;
          }
          const time = moment(value);
          const text = typeof value === "string" ? value : JSON.stringify(value);
          const agent = agents.find(({ id }) => id === text);
          return (
            <div key={name}>
              <dt>{name.replace(/([A-Z])/g, " $1").toLowerCase()}</dt>
              <dd dir="auto">
                {name === "parentId" ? <a href={pathOfTask(text)}>{text}</a> : null}
                {agent ? <a href={pathOfAgent(agent.id)}>{office.live.nameOf(agent.id)}</a> : null}
                {name === "parentId" || agent ? null : time !== null && FIRST.includes(name) ? (
                  <time dateTime={text}>
                    {new Date(time).toLocaleString("en-GB")} ({ago(time, now)})
                  </time>
                ) : (
                  text
                )}
              </dd>
            </div>
          );
        })}
      </dl>
      {children.length > 0 && (
        <>
          <h4>Parts of it</h4>
          <ul>
            {children.map(({ id, description }) => (
              <li key={id}>
                <a href={pathOfTask(id)}>{id}</a> <span dir="auto">{description}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      <details class="raw">
        <summary>As the queue has it</summary>
        <pre>{JSON.stringify(record, null, 2)}</pre>
      </details>
    </section>
  );
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
