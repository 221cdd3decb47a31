"""Every module of the sources is somebody's to test: those that no test names become fewer, never more."""

from __future__ import annotations

import runpy
from pathlib import Path

UNNAMED = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "unnamed.py"))


def test_no_module_more_than_before_is_named_by_no_test() -> None:
    missing = UNNAMED["unnamed"]()
    assert len(missing) <= UNNAMED["MOST"], f"name these in a test: {missing}"


def test_a_module_is_named_by_an_import_and_by_its_path(tmp_path: Path) -> None:
    sources = tmp_path / "src" / "missioncontrol"
    tests = tmp_path / "tests"
    (sources / "part").mkdir(parents=True)
    tests.mkdir()
    for name in ("__init__", "one", "two", "three", "four"):
        (sources / "part" / f"{name}.py").touch()
    (tests / "test_it.py").write_text(
        "from missioncontrol.part import one\nimport missioncontrol.part.two\nPATH = 'missioncontrol/part/three.py'\n"
    )
    assert UNNAMED["unnamed"](sources, tests) == ["missioncontrol.part.four"]
