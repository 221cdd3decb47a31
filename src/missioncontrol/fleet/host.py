"""This machine: disk, memory and load, with an alert when one runs short, and another when it has recovered.

Each level has two thresholds, one at which it begins and a lower one at which it ends, so that a figure that varies
around a threshold is published once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import psutil

from missioncontrol.fleet.source import MARK, Feed, Step, Workspace

LOOK_SECONDS = 10.0
LOOKS = 3
"""How many looks in a row must agree on load, which a moment's work may raise."""

Level = Literal["ok", "warning", "critical"]


class Limits(NamedTuple):
    """From which figure on a metric is a warning or critical, and below which it is no more."""

    warning: float
    critical: float
    warning_ends: float
    critical_ends: float
    unit: str
    looks: int = 1


LIMITS: dict[str, Limits] = {
    "disk": Limits(85, 95, 80, 90, "%"),
    "memory": Limits(90, 97, 85, 94, "%"),
    "load": Limits(2, 4, 1.5, 3, " per CPU", LOOKS),
}

_NAMES = {"disk": "The disk", "data disk": "The disk of the log", "memory": "Memory", "load": "Load"}
_ORDER: dict[Level, int] = {"ok": 0, "warning": 1, "critical": 2}


class HostFigures(msgspec.Struct, rename="camel"):
    """This machine at one moment: percent used of disks and memory, load of the last minute per CPU."""

    disk: float
    data_disk: float
    memory: float
    load: float


def measure(workspace: Path, data: Path) -> HostFigures:
    """Look at this machine; in a thread, since a disk may take its time."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return HostFigures(
        disk=psutil.disk_usage(str(workspace)).percent,
        data_disk=psutil.disk_usage(str(data if data.exists() else workspace)).percent,
        memory=psutil.virtual_memory().percent,
        load=round(load, 2),
    )


_levels = msgspec.json.Decoder(dict[str, Level])


class Host:
    """Publishes an alert when this machine runs short. `figures` are the last measured ones."""

    name = "host"

    def __init__(self, workspace: Workspace, measure: Callable[[Path, Path], HostFigures] = measure) -> None:
        """Prepare.

        Args:
            workspace: whose disk is watched, with that of its log.
            measure: looks at the machine.
        """
        self._root = workspace.root
        self._data = workspace.config.data_path
        self._measure = measure
        self.figures: HostFigures | None = None
        self._levels: dict[str, Level] = {}
        self._agreeing: dict[str, tuple[Level, int]] = {}

    async def run(self, feed: Feed) -> None:
        """Watch until cancelled."""
        memory = await feed.recall()
        memory.pop(MARK, None)
        self._levels = _levels.decode(memory.get("levels", b"{}"))
        while True:
            self.figures = await feed.in_thread(self._measure, self._root, self._data)
            await self._judge(feed, self.figures)
            feed.running()
            await asyncio.sleep(LOOK_SECONDS)

    async def _judge(self, feed: Feed, figures: HostFigures) -> None:
        values = {"disk": figures.disk, "memory": figures.memory, "load": figures.load}
        if figures.data_disk != figures.disk:
            values["data disk"] = figures.data_disk
        for metric, value in values.items():
            limits = LIMITS[metric.rpartition(" ")[2]]
            before = self._levels.get(metric, "ok")
            level = _level(value, before, limits)
            if level == before:
                self._agreeing.pop(metric, None)
                continue
            agreed = self._agreeing.get(metric)
            count = agreed[1] + 1 if agreed is not None and agreed[0] == level else 1
            self._agreeing[metric] = (level, count)
            if count >= limits.looks:
                self._agreeing.pop(metric)
                await self._publish(feed, metric, value, before, level, limits)

    async def _publish(
        self, feed: Feed, metric: str, value: float, before: Level, level: Level, limits: Limits
    ) -> None:
        self._levels[metric] = level
        worse = _ORDER[level] > _ORDER[before]
        threshold = {"warning": limits.warning, "critical": limits.critical}.get(level, limits.warning_ends)
        if metric == "load":
            how = f"{_NAMES[metric]} is {value:g}{limits.unit}"
        else:
            how = f"{_NAMES[metric]} is {value:g}{limits.unit} full"
        message = f"{how}." if worse else f"{how}, which is less than before."
        alert = feed.alert(
            ("critical" if level == "critical" else "warning") if worse else "info",
            message,
            metric=metric,
            value=value,
            threshold=threshold,
        )
        await feed.publish([Step([alert], {"levels": msgspec.json.encode(self._levels)})])


def _level(value: float, before: Level, limits: Limits) -> Level:
    if value >= limits.critical or (before == "critical" and value >= limits.critical_ends):
        return "critical"
    if value >= limits.warning or (before != "ok" and value >= limits.warning_ends):
        return "warning"
    return "ok"
