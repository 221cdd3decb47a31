"""Makes a finding small: leaves out what it does not need, each time with a new server.

python -m tests.fuzz.shrink build/fuzz/hooks/network-1-7.json tests/fuzz/corpus/steps/a-name.json
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.fuzz.campaign import replay
from tests.fuzz.readers import READERS
from tests.fuzz.stage import Stage
from tests.fuzz.steps import Finding, Step, decode, encode


def _fails(finding: Finding, steps: list[Step]) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        smaller = Finding(finding.reader, steps)
        return asyncio.run(replay(smaller, READERS, lambda: Stage(Path(folder))))


def shrink(finding: Finding) -> Finding:
    """Return a finding with as few steps as fail in the same way, about (delta debugging)."""
    steps, about = list(finding.steps), _fails(finding, finding.steps)
    if about is None:
        raise SystemExit("All is well after these steps alone; try the file that ends with .all.json.")
    size = len(steps)
    while size >= 1:
        start = 0
        while start < len(steps) and len(steps) > 1:
            fewer = steps[:start] + steps[start + size :]
            if fewer and (wrong := _fails(finding, fewer)) is not None:
                steps, about = fewer, wrong
                print(f"{len(steps)} steps: {about[:200]!r}", file=sys.stderr)
            else:
                start += size
        size //= 2
    return Finding(finding.reader, steps, about)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(encode(shrink(decode(source.read_bytes()))))
