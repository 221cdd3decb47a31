"""Targets: what a figure must reach, and the exit status that follows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.servers import machine


@dataclass(frozen=True)
class Check:
    """One figure held to its target."""

    met: bool
    text: str


def at_most(name: str, value: float, limit: float, unit: str) -> Check:
    """Hold `value` to an upper limit."""
    return Check(value <= limit, f"{name}: {value:,.2f} {unit} (must be at most {limit:,g})")


def at_least(name: str, value: float, limit: float, unit: str) -> Check:
    """Hold `value` to a lower limit."""
    return Check(value >= limit, f"{name}: {value:,.0f} {unit} (must be at least {limit:,g})")


def conclude(
    checks: Sequence[Check], failures: Sequence[str], figures: Mapping[str, object], json_file: Path | None
) -> int:
    """Print the checks, write the record, and give the exit status: 1 for a missed target, 2 for a failed run."""
    print()
    for check in checks:
        print(f"{'met   ' if check.met else 'MISSED'} {check.text}")
    for failure in failures:
        print(f"FAILED {failure}")
    if json_file is not None:
        verdicts = [asdict(check) for check in checks]
        record = {"machine": machine(), **figures, "checks": verdicts, "failures": list(failures)}
        json_file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    if failures:
        return 2
    return 0 if all(check.met for check in checks) else 1
