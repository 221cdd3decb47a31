"""The table of the metrics: names, help and where each value is read; the reference is checked against it.

Counters are plain numbers where the counting is done, and are read only when a client asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Any, Literal, NamedTuple

import msgspec

from missioncontrol.server.service import Service
from missioncontrol.state import KINDS

Value = float | dict[str, float]


class Figure(NamedTuple):
    """One metric: `read` gives its value, or with a `label` a value for each value of the label."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    read: Callable[[Service], Value]
    label: str | None = None


def _lags(service: Service) -> Value:
    return {name: float(lag) for name, health in _sources(service) if (lag := health.get("lag")) is not None}


def _ups(service: Service) -> Value:
    return {name: float(health.get("status") == "running") for name, health in _sources(service)}


def _restarts(service: Service) -> Value:
    return {name: float(health.get("restarts", 0)) for name, health in _sources(service)}


def _unreadable(service: Service) -> Value:
    return {name: float(health.get("unreadable", 0)) for name, health in _sources(service)}


def _sources(service: Service) -> list[tuple[str, dict[str, Any]]]:
    return list(msgspec.to_builtins(service.sources()).items())


def _used(service: Service) -> Value:
    figures = service.host()
    if figures is None:
        return {}
    return {"disk": figures.disk, "log disk": figures.data_disk, "memory": figures.memory}


def _load(service: Service) -> Value:
    figures = service.host()
    return 0.0 if figures is None else figures.load


def _agents(service: Service) -> Value:
    counts: dict[str, float] = dict.fromkeys(KINDS, 0.0)
    for agent in service.state.table("agents").values():
        counts[agent["kind"]] += 1
    return counts


def _tasks(service: Service) -> Value:
    return {status: float(count) for status, count in service.tasks.stats()["byStatus"].items()}


def _spent(service: Service) -> Value:
    tokens = service.state.tokens
    return {agent: float(tokens.of(agent)["cost"]) for agent in tokens.agents()}


def _tokens(service: Service) -> Value:
    tokens = service.state.tokens
    return {agent: float(tokens.of(agent)["tokens"]) for agent in tokens.agents()}


def _refused(service: Service) -> Value:
    if service.quotas is None:
        return {}
    return {name: float(count) for name, count in msgspec.structs.asdict(service.quotas.figures).items()}


def _quotas(service: Service) -> Value:
    return {name: float(most) for name, most in msgspec.structs.asdict(service.config.quotas).items()}


def _records(service: Service) -> Value:
    state = service.state
    waiting = sum(one["status"] == "open" for one in state.table("questions").values())
    return {
        "agents": float(max(len(state.table("agents")), state.tokens.count())),
        "tasks": float(len(state.table("tasks"))),
        "leads": float(len(state.table("leads"))),
        "questions": float(waiting),
    }


def _left_out(service: Service) -> Value:
    return {part: float(count) for part, count in service.state.left_out().items()}


def _failures(service: Service) -> Value:
    return {step.name: float(step.failures) for step in service.pipeline()}


def _hooks(service: Service) -> Value:
    heard = [counts for counts in service.hooks.counts.values() if counts.last]
    counted = sum((counts.events for counts in heard), Counter[str]())
    unknown = {"unknown": float(sum(counts.unknown.total() for counts in heard))} if heard else {}
    return {**{event: float(count) for event, count in counted.items()}, **unknown}


def _engine(service: Service) -> Value:
    if service.cluster is None:
        return {}
    engine = service.cluster()["engine"]
    return {engine["kind"]: float(engine["status"] == "ok")}


def _lag_of_stream(service: Service) -> Value:
    if service.cluster is None:
        return {}
    engine = service.cluster()["engine"]
    return {engine["kind"]: float(engine["lag"])}


def _clients_of_nodes(service: Service) -> Value:
    if service.cluster is None:
        return {}
    return {node["node"]: float(node["clients"]) for node in service.cluster()["nodes"]}


def _notifications(service: Service) -> Value:
    if service.notifier is None:
        return {}
    return {name: float(count) for name, count in msgspec.structs.asdict(service.notifier.figures).items()}


def _notified(service: Service) -> Value:
    if service.notifier is None:
        return {}
    return {one.destination: float(one.status == "working") for one in service.notifier.destinations()}


def _to_notify(service: Service) -> Value:
    if service.notifier is None:
        return {}
    return {one.destination: float(one.queued) for one in service.notifier.destinations()}


METRICS: tuple[Figure, ...] = (
    Figure(
        "mission_control_events_total",
        "counter",
        "Events appended to the log.",
        lambda s: s.log.figures.events,
    ),
    Figure(
        "mission_control_event_bytes_total",
        "counter",
        "Bytes of the events appended to the log.",
        lambda s: s.log.figures.bytes,
    ),
    Figure(
        "mission_control_duplicate_events_total",
        "counter",
        "Events whose key the log held already; nothing was appended.",
        lambda s: s.log.figures.duplicates,
    ),
    Figure(
        "mission_control_trimmed_events_total",
        "counter",
        "Events that were trimmed away by age or size.",
        lambda s: s.log.figures.trimmed,
    ),
    Figure(
        "mission_control_unreadable_events_total",
        "counter",
        "Events of the log that could not be read; each has its place as log:unreadable.",
        lambda s: s.log.figures.unreadable,
    ),
    Figure(
        "mission_control_queued_events",
        "gauge",
        "Events that wait to be written.",
        lambda s: s.log.figures.queued,
    ),
    Figure(
        "mission_control_commits_total",
        "counter",
        "Transactions of the log; one may carry many events.",
        lambda s: s.log.figures.commits,
    ),
    Figure(
        "mission_control_commit_seconds_total",
        "counter",
        "Seconds spent in transactions of the log.",
        lambda s: s.log.figures.commit_seconds,
    ),
    Figure(
        "mission_control_last_commit_seconds",
        "gauge",
        "Seconds that the last transaction of the log took.",
        lambda s: s.log.figures.last_commit_seconds,
    ),
    Figure(
        "mission_control_append_failures_total",
        "counter",
        "Appends that failed; nothing of them was kept.",
        lambda s: s.log.figures.failures,
    ),
    Figure(
        "mission_control_log_up",
        "gauge",
        "1 while events can be appended, else 0.",
        lambda s: float(s.log.trouble is None),
    ),
    Figure(
        "mission_control_log_events",
        "gauge",
        "Events that the log holds.",
        lambda s: s.log.head - s.log.first + 1,
    ),
    Figure(
        "mission_control_engine_up",
        "gauge",
        "1 while the engine that orders the events of several nodes can be reached, else 0.",
        _engine,
        label="engine",
    ),
    Figure(
        "mission_control_engine_lag_events",
        "gauge",
        "Events that the engine has and this node has not read yet.",
        _lag_of_stream,
        label="engine",
    ),
    Figure(
        "mission_control_node_clients",
        "gauge",
        "Connections of each node of the fleet, as the nodes say.",
        _clients_of_nodes,
        label="node",
    ),
    Figure(
        "mission_control_telemetry_refused_total",
        "counter",
        "OTLP exports that were refused: not readable, over a limit, or at a time when nothing can be kept.",
        lambda s: s.telemetry.refused,
    ),
    Figure(
        "mission_control_telemetry_items_total",
        "counter",
        "Spans, points and log records that were received by OTLP, by what became of them.",
        lambda s: s.telemetry.outcomes(),
        label="outcome",
    ),
    Figure(
        "mission_control_search_lag_events",
        "gauge",
        "Events that cannot be found yet, because they are not indexed.",
        lambda s: 0.0 if s.search is None else float(s.search.lag),
    ),
    Figure(
        "mission_control_transcripts_unread",
        "gauge",
        "Transcripts with something in them that cannot be found yet.",
        lambda s: s.messages.waiting,
    ),
    Figure(
        "mission_control_pipeline_failures_total",
        "counter",
        "Times that a step after a commit failed.",
        _failures,
        label="step",
    ),
    Figure(
        "mission_control_hub_holes_total",
        "counter",
        "Times that the fan-out missed records, and had its clients read them from the log.",
        lambda s: s.hub.figures.holes,
    ),
    Figure(
        "mission_control_state_records",
        "gauge",
        "Records of the state that a quota bounds; of questions those that are open.",
        _records,
        label="kind",
    ),
    Figure(
        "mission_control_quota", "gauge", "The quotas, as the settings have them.", _quotas, label="quota"
    ),
    Figure(
        "mission_control_quota_refused_total",
        "counter",
        "Events that a quota refused.",
        _refused,
        label="quota",
    ),
    Figure(
        "mission_control_state_left_out_total",
        "counter",
        "Changes that the bounds of the state left out, by part.",
        _left_out,
        label="part",
    ),
    Figure("mission_control_log_head", "gauge", "The id of the newest event.", lambda s: s.log.head),
    Figure("mission_control_clients", "gauge", "Connections, live or catching up.", lambda s: s.hub.clients),
    Figure(
        "mission_control_live_clients", "gauge", "Connections at the head of the log.", lambda s: s.hub.live
    ),
    Figure(
        "mission_control_audiences",
        "gauge",
        "Distinct sets of patterns and encodings among the live connections.",
        lambda s: s.hub.audiences,
    ),
    Figure(
        "mission_control_connections_total",
        "counter",
        "Connections that were opened.",
        lambda s: s.hub.figures.connected,
    ),
    Figure(
        "mission_control_open_connections",
        "gauge",
        "Open connections of all kinds, idle ones included.",
        lambda s: s.room.open,
    ),
    Figure(
        "mission_control_idle_connections",
        "gauge",
        "Open connections that have no request: kept alive, or before their first one.",
        lambda s: s.room.waiting,
    ),
    Figure(
        "mission_control_evicted_connections_total",
        "counter",
        "Idle connections that gave way to new ones, since there was no room.",
        lambda s: s.room.evicted,
    ),
    Figure(
        "mission_control_wrong_tokens_total",
        "counter",
        "Requests and connections with a token that is not known.",
        lambda s: s.access.wrong_tokens.count,
    ),
    Figure(
        "mission_control_refused_connections_total",
        "counter",
        "Connections that were refused: origin, token, or too many.",
        lambda s: s.hub.figures.refused,
    ),
    Figure(
        "mission_control_flushes_total",
        "counter",
        "Times that events were handed to the audiences.",
        lambda s: s.hub.figures.flushes,
    ),
    Figure(
        "mission_control_deliveries_total",
        "counter",
        "Events handed to live connections, counted once for each.",
        lambda s: s.hub.figures.deliveries,
    ),
    Figure(
        "mission_control_sent_bytes_total",
        "counter",
        "Bytes of events handed to connections.",
        lambda s: s.hub.figures.bytes,
    ),
    Figure(
        "mission_control_catch_ups_total",
        "counter",
        "Times that a connection had to read from the log.",
        lambda s: s.hub.figures.catch_ups,
    ),
    Figure(
        "mission_control_caught_up_events_total",
        "counter",
        "Events handed to connections from the log.",
        lambda s: s.hub.figures.caught_up_events,
    ),
    Figure(
        "mission_control_gaps_total",
        "counter",
        "Gaps that connections were told of.",
        lambda s: s.hub.figures.gaps,
    ),
    Figure(
        "mission_control_slow_clients_total",
        "counter",
        "Times that a live connection could not take more and went back to reading from the log.",
        lambda s: s.hub.figures.slow_clients,
    ),
    Figure(
        "mission_control_too_slow_closes_total",
        "counter",
        "Connections closed because they took nothing for 60 seconds.",
        lambda s: s.hub.figures.too_slow,
    ),
    Figure(
        "mission_control_no_heartbeat_closes_total",
        "counter",
        "Connections closed because nothing was heard for two heartbeats.",
        lambda s: s.hub.figures.no_heartbeat,
    ),
    Figure("mission_control_source_up", "gauge", "1 while the source runs, else 0.", _ups, label="source"),
    Figure(
        "mission_control_source_lag_seconds",
        "gauge",
        "Seconds from the notice of the source's last change until it was durable.",
        _lags,
        label="source",
    ),
    Figure(
        "mission_control_source_restarts_total",
        "counter",
        "Times that the source was run again after a failure.",
        _restarts,
        label="source",
    ),
    Figure(
        "mission_control_source_unreadable_files",
        "gauge",
        "Files that the source skips now since they cannot be read.",
        _unreadable,
        label="source",
    ),
    Figure(
        "mission_control_notifications_total",
        "counter",
        "Messages that were sent, that were given up, and attempts that failed.",
        _notifications,
        label="outcome",
    ),
    Figure(
        "mission_control_notification_destination_up",
        "gauge",
        "1 while the destination takes messages, else 0.",
        _notified,
        label="destination",
    ),
    Figure(
        "mission_control_notifications_waiting",
        "gauge",
        "Messages that wait to be sent.",
        _to_notify,
        label="destination",
    ),
    Figure("mission_control_agents", "gauge", "Agents, by what they do.", _agents, label="kind"),
    Figure("mission_control_tasks", "gauge", "Tasks of the queue, by status.", _tasks, label="status"),
    Figure(
        "mission_control_tokens_total", "counter", "Tokens that an agent has used.", _tokens, label="agent"
    ),
    Figure(
        "mission_control_cost_dollars_total",
        "counter",
        "US dollars that an agent's tokens have cost.",
        _spent,
        label="agent",
    ),
    Figure(
        "mission_control_hooks_total",
        "counter",
        "Hooks of runtimes, by event; `unknown` are those of which only the name is understood.",
        _hooks,
        label="event",
    ),
    Figure(
        "mission_control_lost_hooks_total",
        "counter",
        "Hooks that could not be kept.",
        lambda s: float(sum(counts.lost for counts in s.hooks.counts.values())),
    ),
    Figure(
        "mission_control_host_used_percent",
        "gauge",
        "Percent of this machine's disks and memory that is used.",
        _used,
        label="of",
    ),
    Figure("mission_control_host_load", "gauge", "This machine's load of the last minute, per CPU.", _load),
    Figure(
        "mission_control_loop_lag_seconds",
        "gauge",
        "How late the event loop was last, in seconds.",
        lambda s: s.loop_lag.last,
    ),
    Figure(
        "mission_control_loop_lag_max_seconds",
        "gauge",
        "How late the event loop was at most in the last minute, in seconds.",
        lambda s: s.loop_lag.longest,
    ),
    Figure(
        "mission_control_loop_stalls_total",
        "counter",
        "How often the event loop was late by 50 ms or more, measured four times a second.",
        lambda s: s.loop_lag.stalls,
    ),
    Figure(
        "mission_control_uptime_seconds",
        "gauge",
        "Seconds since the server started.",
        lambda s: monotonic() - s.started,
    ),
)
"""Everything that `/metrics` has, in addition to what prometheus_client reports about the process."""
