/** One of what was found: an event, or something that was said. */

import { describeEvent } from "../fleet/event-words";
import type { Find } from "../fleet/finds";
import type { LiveFleet } from "../fleet/live";
import { pathOfAgent, pathOfSession } from "../page/route";
import { dayAndTime, moment } from "../words/age";
import { HostBadge } from "./host-badge";
import { Portrait } from "./portrait";

const BY: Readonly<Record<string, string>> = {
  user: "was asked",
  assistant: "said",
  thinking: "thinks",
  call: "calls a tool",
  result: "a tool answers",
};

export function FindLine({ live, find }: { live: LiveFleet; find: Find }) {
  const { agentId } = find;
  const line = find.kind === "event" ? describeEvent(find.event, live.nameOf) : null;
  const time = moment(find.kind === "event" ? find.event.time : find.time);
  return (
    <li class="find">
      {agentId === null ? (
        <span class="sign" aria-hidden="true">
          {line?.sign ?? "“"}
        </span>
      ) : (
        <Portrait id={agentId} size="middle" />
      )}
      <div>
        <p class="about">
          {agentId === null ? (
            <bdi>{line?.subject ?? "A session"}</bdi>
          ) : (
            <a href={pathOfAgent(agentId)}>
              <bdi>{live.nameOf(agentId)}</bdi>
            </a>
          )}{" "}
          {find.kind === "event" && <HostBadge live={live} host={live.hostOfEvent(find.event)} />}{" "}
          <small dir="auto">{find.kind === "event" ? find.event.type : (BY[find.by] ?? find.by)}</small>{" "}
          {time !== null && <small class="when">{dayAndTime(time, live.time.value)}</small>}
        </p>
        <p class="snippet" dir="auto">
          {find.pieces.map((piece, place) => (place % 2 === 1 ? <mark key={place}>{piece}</mark> : piece))}
        </p>
        {find.kind === "event" ? (
          <details class="raw">
            <summary>Event {find.event.id}</summary>
            <pre>{JSON.stringify(find.event, null, 2)}</pre>
          </details>
        ) : (
          <a href={pathOfSession(find.session, find.id)}>Read on in its transcript</a>
        )}
      </div>
    </li>
  );
}
