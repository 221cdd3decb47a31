"""This machine: an alert where something runs short, and one when it does no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fleet.world import World

from missioncontrol.fleet import host
from missioncontrol.fleet.host import Host, HostFigures
from missioncontrol.fleet.source import Workspace

pytestmark = pytest.mark.anyio


class Machine:
    """A machine whose figures are what a test says."""

    def __init__(self) -> None:
        self.figures = HostFigures(disk=50, data_disk=50, memory=50, load=0.5)
        self.looks = 0

    def measure(self, workspace: Path, data: Path) -> HostFigures:
        self.looks += 1
        return HostFigures(**{name: getattr(self.figures, name) for name in self.figures.__struct_fields__})


@pytest.fixture
def machine(world: World, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(host, "LOOK_SECONDS", 0.01)

    def make(workspace: Workspace) -> Host:
        return Host(workspace, machine.measure)

    kinds: list[Callable[[Workspace], Host]] = [make]
    world.kinds = kinds
    return machine


def told(world: World) -> list[tuple[str, str]]:
    return [(alert["level"], alert["details"]["metric"]) for alert in world.told("system:alert")]


async def test_a_figure_that_wavers_about_a_level_is_told_once(world: World, machine: Machine) -> None:
    await world.start()
    machine.figures.disk = machine.figures.data_disk = 86
    await world.until(lambda: told(world))
    for percent in (84, 86, 81, 86):
        machine.figures.disk = machine.figures.data_disk = percent
        seen = machine.looks
        while machine.looks < seen + 3:
            await world.silence(0.01)
    machine.figures.disk = machine.figures.data_disk = 96
    await world.until(lambda: len(told(world)) == 2)
    machine.figures.disk = machine.figures.data_disk = 79
    await world.until(lambda: len(told(world)) == 3)
    assert told(world) == [("warning", "disk"), ("critical", "disk"), ("info", "disk")]
    assert "86% full" in world.alerts()[0]


async def test_a_restart_does_not_repeat_what_was_told(world: World, machine: Machine) -> None:
    machine.figures.memory = 98
    await world.start()
    await world.until(lambda: told(world))
    await world.restart()
    seen = machine.looks
    while machine.looks < seen + 3:
        await world.silence(0.01)
    assert told(world) == [("critical", "memory")]


async def test_load_must_last_to_be_told(world: World, machine: Machine) -> None:
    await world.start()
    machine.figures.load = 5
    await world.until(lambda: told(world))
    assert told(world) == [("critical", "load")]
    assert json.loads((await world.log.recall("host"))["levels"]) == {"load": "critical"}


def test_the_real_machine_has_figures(tmp_path: Path) -> None:
    figures = host.measure(tmp_path, tmp_path / "missing")
    assert 0 <= figures.disk <= 100
    assert 0 < figures.memory <= 100
