"""What the server counts, for Prometheus and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from missioncontrol.events.sentences import defuse
from missioncontrol.server.metric_table import METRICS, Figure, Value
from missioncontrol.server.service import Service

MAX_LABELS = 200
"""How many values of a label a metric has; the rest is summed under `other`."""


OTHER = "other"


def read_figure(figure: Figure, service: Service) -> Value:
    """Return a metric's value, with at most `MAX_LABELS` values of its label and `other`.

    A value that has a line of its own keeps it until the process ends, so that counters only go up.
    """
    value = figure.read(service)
    if not isinstance(value, dict) or (len(value) <= MAX_LABELS and figure.name not in service.labels):
        return value
    named = service.labels.setdefault(figure.name, set())
    if len(named) < MAX_LABELS:
        largest = sorted(value.keys() - named, key=lambda label: (-value[label], label))
        named.update(largest[: MAX_LABELS - len(named)])
    bounded = {label: one for label, one in value.items() if label in named}
    rest = [one for label, one in value.items() if label not in named]
    if rest:
        bounded[OTHER] = bounded.get(OTHER, 0.0) + sum(rest)
    return bounded


class _ServiceCollector(Collector):
    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        for figure in METRICS:
            family = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
            metric = family(figure.name, figure.help, labels=[figure.label] if figure.label else None)
            value = read_figure(figure, self._service)
            if isinstance(value, dict):
                # Agents name themselves, and people read this in terminals; names that look the same then are one.
                shown: dict[str, float] = {}
                for label, one in sorted(value.items()):
                    shown[defuse(label)] = shown.get(defuse(label), 0) + one
                for label, one in shown.items():
                    metric.add_metric([label], one)
            else:
                metric.add_metric([], value)
            yield metric


def make_registry(service: Service) -> CollectorRegistry:
    """Put together what Prometheus is told: the table, and the process's memory, CPU time and open files."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ServiceCollector(service))
    ProcessCollector(registry=registry)
    return registry


def collect_json(service: Service) -> dict[str, Any]:
    """Return the figures by name, after a summary of clients, messages, uptime (seconds) and memory (bytes)."""
    log, hub = service.log, service.hub
    return {
        "clients": {"total": hub.clients, "max": service.config.server.max_clients},
        "messages": {
            "historySize": log.head - log.first + 1,
            "maxHistory": service.config.server.max_history,
        },
        "uptime": round(monotonic() - service.started, 3),
        "memory": {"rss": psutil.Process().memory_info().rss},
        "figures": {figure.name: read_figure(figure, service) for figure in METRICS},
    }
