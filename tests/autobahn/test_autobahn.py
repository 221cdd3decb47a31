"""The Autobahn fuzzing client against an echo on the protocol class that serves `/api/ws`.

A selection of its cases runs with all tests; `make autobahn` (MISSION_CONTROL_AUTOBAHN=all) runs every one and
writes the summary that the documentation shows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SUITE = ROOT / ".tools" / "autobahn"
SUMMARY = ROOT / "docs" / "autobahn.md"
SELECTION = [
    "1.*",
    "2.*",
    "3.*",
    "4.*",
    "5.*",
    "6.1.*",
    "6.2.*",
    "6.6.*",
    "7.*",
    "10.*",
    "12.1.1",
    "12.3.2",
    "13.1.1",
    "13.5.2",
]
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}

pytestmark = [pytest.mark.autobahn, pytest.mark.timeout(3_000)]


@pytest.fixture
def echo_port() -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, str(HERE / "echo_server.py")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def run(port: int, cases: list[str], folder: Path) -> dict[str, Any]:
    wstest = SUITE / "wstest"
    if not wstest.exists():
        subprocess.run([str(HERE / "install.sh"), str(SUITE)], check=True)
    spec = folder / "spec.json"
    spec.write_text(
        json.dumps(
            {
                "outdir": str(folder / "report"),
                "servers": [{"agent": "mission-control", "url": f"ws://127.0.0.1:{port}"}],
                "cases": cases,
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
        )
    )
    subprocess.run(
        [str(wstest), "-m", "fuzzingclient", "-s", str(spec)], check=True, stdout=subprocess.DEVNULL
    )
    report: dict[str, Any] = json.loads((folder / "report" / "index.json").read_text())["mission-control"]
    return report


def test_no_case_fails(echo_port: int, tmp_path: Path) -> None:
    whole = os.environ.get("MISSION_CONTROL_AUTOBAHN") == "all"
    report = run(echo_port, ["*"] if whole else SELECTION, tmp_path)
    assert len(report) > (500 if whole else 100)
    failed = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in report.items()
        if result["behavior"] not in GOOD or result["behaviorClose"] not in GOOD
    }
    assert failed == {}
    if whole:
        SUMMARY.write_text(summary(report))


def summary(report: dict[str, Any]) -> str:
    """Write the report's figures as a page."""
    groups: dict[int, Counter[str]] = {}
    for case, result in report.items():
        groups.setdefault(int(case.split(".")[0]), Counter())[result["behavior"]] += 1
    columns = sorted(GOOD)
    lines = [
        "# Autobahn",
        "",
        "The fuzzing client of the Autobahn test suite (0.8.2) against the WebSocket protocol class: "
        f"{len(report)} cases, none failed. `make autobahn` repeats it and writes this page.",
        "",
        "| group | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
        *(
            f"| {group} | " + " | ".join(str(groups[group][column] or "") for column in columns) + " |"
            for group in sorted(groups)
        ),
        "",
        "| case | verdict | close |",
        "|---|---|---|",
        *(
            f"| {case} | {result['behavior']} | {result['behaviorClose']} |"
            for case, result in sorted(
                report.items(), key=lambda item: [int(part) for part in item[0].split(".")]
            )
            if (result["behavior"], result["behaviorClose"]) != ("OK", "OK")
        ),
        "",
    ]
    return "\n".join(lines)
