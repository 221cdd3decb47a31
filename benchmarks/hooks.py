"""Hooks: how long Claude waits before a tool because Mission Control is told of it.

One client with one connection, as Claude Code has, sends a `PreToolUse` and asks the smallest route (`/api/session`) in
turns: what the hook costs above a bare request is the difference, and it is durable when it is answered. Then the same
with a thousand sessions in the ledger, all of which have just been at work.

    python -m benchmarks.hooks --hooks 3000
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.files import quantile
from benchmarks.servers import PEERS, BenchmarkError, Server, prepare, running
from benchmarks.targets import at_most, conclude

SUBJECT = PEERS["mission-control"]
SESSIONS = 1_000
HEADERS = {"content-type": "application/json"}
WARM_UP = 100

P50_MS, P99_MS = 3.0, 10.0
RATIO = 4.0
"""A hook is a commit, with a thread and the event loop between: so many times a bare request at most, in the middle."""


def hook(event: str, session: int, number: int) -> bytes:
    """Give the body of a hook, of about the size that an edit of a file has."""
    payload = {
        "session_id": f"session-{session}",
        "transcript_path": f"/home/anna/.claude/projects/shop/session-{session}.jsonl",
        "cwd": f"/home/anna/shop-{session}",
        "permission_mode": "default",
        "hook_event_name": event,
        "tool_name": "Edit",
        "tool_use_id": f"toolu_{session}_{number}",
        "tool_input": {"file_path": f"/a/{number}.py", "old_string": "x" * 500, "new_string": "y" * 500},
    }
    return json.dumps(payload).encode()


def timed(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> float:
    """Make a request; give its milliseconds."""
    began = time.perf_counter()
    connection.request(method, path, body, HEADERS if body else {})
    answer = connection.getresponse()
    answer.read()
    passed = (time.perf_counter() - began) * 1e3
    if answer.status not in (200, 204):
        raise BenchmarkError(f"{path} was answered with {answer.status}")
    return passed


def in_turns(server: Server, count: int, sessions: int) -> tuple[list[float], list[float]]:
    """Give the milliseconds of so many hooks, and of as many bare requests between them."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    hooks: list[float] = []
    bare: list[float] = []
    for number in range(count + WARM_UP):
        told = timed(connection, "POST", "/api/hooks/claude", hook("PreToolUse", number % sessions, number))
        asked = timed(connection, "GET", "/api/session")
        if number >= WARM_UP:
            hooks.append(told)
            bare.append(asked)
    connection.close()
    return hooks, bare


def show(name: str, values: Sequence[float]) -> None:
    """Print one line of figures."""
    p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
    print(f"{name:24} p50 {p50:6.2f} ms, p99 {p99:6.2f} ms, max {max(values):6.1f} ms")


def main() -> int:
    """Measure once; 1 when a target is missed, 2 when the run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hooks", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--hooks", type=int, default=3_000)
    parser.add_argument("--json", type=Path, help="write every latency to this file")
    arguments = parser.parse_args()
    if arguments.hooks <= 0:
        parser.error("--hooks must be above zero")
    prepare([SUBJECT.name])
    checks = []
    failures: list[str] = []
    record: dict[str, object] = {}
    for sessions in (1, SESSIONS):
        try:
            with (
                tempfile.TemporaryDirectory(prefix="benchmark-") as name,
                running(SUBJECT, Path(name)) as server,
            ):
                in_turns(server, sessions, sessions)
                hooks, bare = in_turns(server, arguments.hooks, sessions)
        except (BenchmarkError, OSError, http.client.HTTPException) as error:
            failures.append(str(error))
            continue
        where = f"{sessions:,} session{'s' if sessions > 1 else ''}"
        show(f"hook, {where}", hooks)
        show("bare request", bare)
        record[where] = {"hooks_ms": hooks, "bare_ms": bare}
        checks.append(at_most(f"PreToolUse, {where}, p50", quantile(hooks, 0.5), P50_MS, "ms"))
        checks.append(at_most(f"PreToolUse, {where}, p99", quantile(hooks, 0.99), P99_MS, "ms"))
        ratio = quantile(hooks, 0.5) / quantile(bare, 0.5)
        checks.append(at_most(f"PreToolUse, {where}, p50 over a bare request", ratio, RATIO, "times"))
    return conclude(checks, failures, record, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
