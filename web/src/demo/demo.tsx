/** The browser client at work: everything that it tells, and everything that it can be asked for. */

import { useComputed, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { parseFilter } from "../fleet/filter";
import type { TransportName } from "../realtime/index";
import { EXAMPLES } from "./examples";
import {
  act,
  actions,
  answer,
  clients,
  connection,
  filter,
  fleet,
  type Line,
  lines,
  paused,
} from "./observed";

const TRANSPORTS: readonly (readonly [string, readonly TransportName[]])[] = [
  ["Best", ["websocket", "sse", "long-poll", "polling"]],
  ["WebSocket", ["websocket"]],
  ["SSE", ["sse"]],
  ["Long-poll", ["long-poll"]],
  ["Polling", ["polling"]],
];

const SIGNS = {
  connected: "● Live",
  connecting: "○ Connecting …",
  reconnecting: "↻ Reconnecting …",
  polling: "◐ Polling",
  disconnected: "○ Offline",
  error: "✕ Error",
};

const LAMPS = {
  connected: "live",
  connecting: "trying",
  reconnecting: "trying",
  polling: "trying",
  disconnected: "off",
  error: "error",
};

export function Demo() {
  const { state } = connection.value;
  return (
    <div class="page">
      <header class="top-bar">
        <h1>
          <a href="/">Mission Control</a> · real-time client
        </h1>
        <div class="connection">
          {clients.value !== null && (
            <span class="clients">{clients.value === 1 ? "1 client" : `${clients.value} clients`}</span>
          )}
          <span class={`lamp ${LAMPS[state]}`}>{SIGNS[state]}</span>
        </div>
      </header>
      <main class="demo">
        <div class="column">
          <ConnectionPanel />
          <SubscriptionPanel />
          <PublishPanel />
        </div>
        <EventPanel />
        <div class="column">
          <MetricsPanel />
          <StatePanel />
        </div>
      </main>
      <p class="answer" role="status">
        {answer.value}
      </p>
    </div>
  );
}

function Panel({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  const id = title.toLowerCase().replace(/\W+/g, "-");
  return (
    <section class="panel" aria-labelledby={id}>
      <h2 id={id} class="ribbon">
        {title}
      </h2>
      {children}
    </section>
  );
}

function Button({ label, action }: { readonly label: string; readonly action: () => unknown }) {
  return (
    <button type="button" onClick={() => void act(label, action)}>
      {label}
    </button>
  );
}

function ConnectionPanel() {
  const chosen = useSignal("Best");
  const { transport, clientId, cursor, reason, retryAt, stale } = connection.value;
  const seconds = retryAt === null ? null : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  return (
    <Panel title="Connection">
      <Facts
        facts={{
          Transport: transport ?? "none",
          Client: clientId ?? "–",
          Cursor: cursor ?? "–",
          "What you see": stale ? "may be out of date" : "is up to date",
          Reason: reason ?? "–",
          "Next attempt": seconds === null ? "–" : `in ${seconds} s`,
        }}
      />
      <div class="buttons">
        <Button label="Connect" action={actions.connect} />
        <Button label="Disconnect" action={actions.disconnect} />
        <Button label="Reconnect" action={actions.reconnect} />
        <Button label="Cut the connection" action={actions.cut} />
      </div>
      <fieldset class="buttons">
        <legend>Force a transport</legend>
        {TRANSPORTS.map(([name, transports]) => (
          <button
            key={name}
            type="button"
            aria-pressed={chosen.value === name}
            onClick={() => {
              chosen.value = name;
              void act(name, () => actions.use(transports));
            }}
          >
            {name}
          </button>
        ))}
      </fieldset>
    </Panel>
  );
}

function SubscriptionPanel() {
  const pattern = useSignal("agent:*");
  const { subscriptions } = connection.value;
  return (
    <Panel title="Subscriptions">
      <label>
        Patterns{" "}
        <input
          value={pattern.value}
          onInput={({ currentTarget }) => {
            pattern.value = currentTarget.value;
          }}
        />
      </label>
      <div class="buttons">
        <Button label="Subscribe" action={() => actions.subscribe(pattern.value)} />
        <Button label="Unsubscribe" action={() => actions.unsubscribe(pattern.value)} />
        <Button label="Subscribe to all" action={actions.subscribeAll} />
        <Button label="Clear" action={actions.clear} />
      </div>
      <p>{subscriptions.length > 0 ? subscriptions.join(", ") : "None: everything comes until the first."}</p>
    </Panel>
  );
}

function PublishPanel() {
  const [first] = EXAMPLES;
  const type = useSignal(first[0]);
  const data = useSignal(JSON.stringify(first[1], null, 1));
  return (
    <Panel title="Publish">
      <p>
        Events are kept, and what they say of agents, tasks, leads and tokens is what every page then shows.
      </p>
      <div class="buttons examples">
        {EXAMPLES.map(([name, example]) => (
          <button
            key={name}
            type="button"
            onClick={() => {
              type.value = name;
              data.value = JSON.stringify(example, null, 1);
            }}
          >
            {name}
          </button>
        ))}
      </div>
      <label>
        Type{" "}
        <input
          value={type.value}
          onInput={({ currentTarget }) => {
            type.value = currentTarget.value;
          }}
        />
      </label>
      <label>
        Data
        <textarea
          rows={5}
          spellcheck={false}
          value={data.value}
          onInput={({ currentTarget }) => {
            data.value = currentTarget.value;
          }}
        />
      </label>
      <div class="buttons">
        <Button label="Publish" action={() => actions.publish(type.value, data.value)} />
      </div>
    </Panel>
  );
}

function EventPanel() {
  const shown = useComputed(() => {
    const matches = parseFilter(filter.value, ({ data }) => ({ subject: "", text: JSON.stringify(data) }));
    return lines.value.filter((line) => line.kind === "gap" || matches(line.event)).slice(0, 100);
  });
  return (
    <Panel title="Events">
      <div class="tools">
        <input
          type="search"
          aria-label="Filter"
          placeholder="Filter: agent:* or any words"
          value={filter.value}
          onInput={({ currentTarget }) => {
            filter.value = currentTarget.value;
          }}
        />
        <button type="button" aria-pressed={paused.value} onClick={actions.resume}>
          {paused.value ? "Go on" : "Hold"}
        </button>
      </div>
      {shown.value.length === 0 && <p>Nothing has come yet that is to be shown here.</p>}
      <ol class="lines" aria-label="Events">
        {shown.value.map((line) => (
          <EventLine key={line.kind === "event" ? line.event.id : `gap ${line.gap.to}`} line={line} />
        ))}
      </ol>
    </Panel>
  );
}

function EventLine({ line }: { readonly line: Line }) {
  if (line.kind === "gap") {
    const { from, to, reason } = line.gap;
    return (
      <li class="gap">
        The events {from} to {to} can no longer be had ({reason}).
      </li>
    );
  }
  const { id, time, type, source, data } = line.event;
  return (
    <li>
      <details>
        <summary>
          <b>{type}</b> <code>{JSON.stringify(data)}</code>
        </summary>
        <pre>{JSON.stringify({ id, time, source, data }, null, 2)}</pre>
      </details>
    </li>
  );
}

function MetricsPanel() {
  const { metrics } = connection.value;
  const { lastConnectedAt, totalUptime } = metrics;
  return (
    <Panel title="Metrics">
      <Facts
        facts={{
          "Messages received": metrics.messagesReceived.toLocaleString(),
          "Messages sent": metrics.messagesSent.toLocaleString(),
          Reconnects: metrics.reconnectCount.toLocaleString(),
          Gaps: metrics.gaps.toLocaleString(),
          "Connected since": lastConnectedAt === null ? "–" : new Date(lastConnectedAt).toLocaleTimeString(),
          "Time connected": `${Math.round(totalUptime / 1000).toLocaleString()} s`,
        }}
      />
    </Panel>
  );
}

function StatePanel() {
  const state = fleet.value;
  if (state === null) {
    return (
      <Panel title="State">
        <p>Not known yet.</p>
      </Panel>
    );
  }
  const { id, agents, tasks, leads, tokens, system, questions, standups } = state;
  return (
    <Panel title="State">
      <p>As of event {id}, folded from the events here, in this page.</p>
      {Object.entries({ agents, tasks, leads, tokens, system, questions, standups }).map(([name, part]) => (
        <details key={name}>
          <summary>
            {name} {Array.isArray(part) && <b>{part.length}</b>}
          </summary>
          <pre>{JSON.stringify(Array.isArray(part) ? part.slice(0, 20) : part, null, 2)}</pre>
        </details>
      ))}
    </Panel>
  );
}

function Facts({ facts }: { readonly facts: Readonly<Record<string, string>> }) {
  return (
    <dl class="facts">
      {Object.entries(facts).map(([name, fact]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{fact}</dd>
        </div>
      ))}
    </dl>
  );
}
