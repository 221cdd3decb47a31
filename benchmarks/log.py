"""The log: durable publishing, catching up, and starting with a long log.

Publishing: four connections, each with one request of 1,000 events (NDJSON, 270 bytes each as delivered) under way at
any time; an event counts when the server has acknowledged it, which it does once the event is durable. Catching up: one
client resumes at the very beginning of a log of 1,000,000 events and checks that it sees each once and in order.
Starting: from the start of the process to the line `ready`, with that log.

    python -m benchmarks.log --seconds 5 --events 1000000
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.servers import LOAD_CORE, PEERS, BenchmarkError, Load, Peer, Server, prepare, running
from benchmarks.targets import at_least, at_most, conclude

SUBJECT = PEERS["mission-control"]
BATCH = 1000
WRITERS = 4
EVENT_BYTES = 270
ENVELOPE_BYTES = 93
"""What the server puts around the data of an event: type, id, time, source."""

PUBLISH = 100_000.0
CATCH_UP = 200_000.0
START_SECONDS = 2.0


@dataclass(frozen=True)
class Publishing:
    """Acknowledged events, in so many seconds on the clock and of the server's CPU."""

    events: int
    seconds: float
    cpu_s: float


@dataclass(frozen=True)
class CatchingUp:
    """One client from the beginning to the head; `faults` is what was lost, doubled or reordered."""

    events: int
    seconds: float
    cpu_s: float
    faults: int


def body(first: int) -> bytes:
    """Make one request's NDJSON: BATCH events, numbered from `first`."""
    lines = []
    for seq in range(first, first + BATCH):
        head = f'{{"seq":{seq},"pad":"'
        pad = "0" * (EVENT_BYTES - ENVELOPE_BYTES - len(head) - 2)
        lines.append(f'{{"type":"bench:event","data":{head}{pad}"}}}}')
    return "\n".join(lines).encode()


def post(connection: http.client.HTTPConnection, content: bytes) -> str:
    """Publish one body and give the cursor that the server acknowledged."""
    connection.request("POST", "/api/events", content, {"Content-Type": "application/x-ndjson"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 201:
        raise BenchmarkError(f"POST /api/events: {response.status} {answer[:300].decode(errors='replace')}")
    cursor = json.loads(answer)["cursor"]
    if not isinstance(cursor, str):
        raise BenchmarkError(f"no cursor in the answer: {answer[:300].decode(errors='replace')}")
    return cursor


def write_until(server: Server, deadline: float, counts: list[int], errors: list[Exception]) -> None:
    """Publish request after request until the deadline (of the monotonic clock); append how many events."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    content = body(1)
    count = 0
    try:
        while time.monotonic() < deadline:
            post(connection, content)
            count += BATCH
    except (OSError, http.client.HTTPException, BenchmarkError) as error:
        errors.append(error)
    finally:
        connection.close()
        counts.append(count)


def publish_for(seconds: float) -> Publishing:
    """Publish for so long into a new log."""
    with running(SUBJECT) as server:
        warm_up = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        post(warm_up, body(1))
        warm_up.close()
        before, begin = server.cpu_seconds(), time.monotonic()
        counts: list[int] = []
        errors: list[Exception] = []
        writers = [
            threading.Thread(target=write_until, args=(server, begin + seconds, counts, errors))
            for _ in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        if errors:
            raise BenchmarkError(f"publishing: {errors[0]}")
        return Publishing(sum(counts), time.monotonic() - begin, server.cpu_seconds() - before)


def fill(folder: Path, events: int) -> str:
    """Write a log of so many numbered events into `folder`; give its epoch."""
    with running(SUBJECT, folder) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        cursor = ""
        for first in range(1, events + 1, BATCH):
            cursor = post(connection, body(first))
        connection.close()
        return cursor.rsplit(":", 1)[0]


def catch_up(server: Server, epoch: str, events: int) -> CatchingUp:
    """Let one client read the whole log."""
    path = f"/api/ws?events=bench:*&since={epoch}:0"
    peer: Peer = replace(SUBJECT, path=path, await_text=None)
    options = ("--shape", "none", "--clients", "1", "--messages", str(events))
    before = server.cpu_seconds()
    with Load(replace(server, peer=peer), *options) as load:
        result = load.result()
        return CatchingUp(result.delivered, result.seconds, server.cpu_seconds() - before, result.faults)


def main() -> int:
    """Run all three; 1 when a target is missed, 2 when a run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.log", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to publish in a round")
    parser.add_argument(
        "--events", type=int, default=1_000_000, help="length of the log, a multiple of 1,000"
    )
    parser.add_argument("--json", type=Path, help="write every run to this file")
    arguments = parser.parse_args()
    if arguments.events <= 0 or arguments.events % BATCH:
        parser.error("--events must be a multiple of 1,000")
    prepare([SUBJECT.name])
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[LOAD_CORE]})
    publishing: list[Publishing] = []
    catching: list[CatchingUp] = []
    starts: list[float] = []
    failures: list[str] = []
    try:
        for number in range(1, arguments.rounds + 1):
            print(f"round {number}: publish for {arguments.seconds:g} s …", file=sys.stderr, flush=True)
            publishing.append(publish_for(arguments.seconds))
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            print(f"write a log of {arguments.events:,} events …", file=sys.stderr, flush=True)
            epoch = fill(Path(name), arguments.events)
            for number in range(1, arguments.rounds + 1):
                print(f"round {number}: start and catch up …", file=sys.stderr, flush=True)
                with running(SUBJECT, Path(name)) as server:
                    starts.append(server.start_seconds)
                    catching.append(catch_up(server, epoch, arguments.events))
    except (BenchmarkError, OSError) as error:
        failures.append(str(error))

    checks = []
    if publishing:
        rate = statistics.median(run.events / run.seconds for run in publishing)
        per_cpu = statistics.median(run.events / run.cpu_s for run in publishing)
        print(f"durable publish   {rate:>12,.0f} events/s, {per_cpu:,.0f} for one CPU second")
        checks.append(at_least("durable publish", rate, PUBLISH, "events/s"))
    if catching:
        rate = statistics.median(run.events / run.seconds for run in catching)
        per_cpu = statistics.median(run.events / run.cpu_s for run in catching)
        print(f"catching up       {rate:>12,.0f} events/s, {per_cpu:,.0f} for one CPU second")
        checks.append(at_least("catching up", per_cpu, CATCH_UP, "events for one CPU second"))
        faults = sum(run.faults for run in catching)
        checks.append(at_most("catching up", faults, 0, "lost, doubled or reordered"))
    if starts:
        print(
            f"start to `ready`  {statistics.median(starts):>12.2f} s with {arguments.events:,} events in the log"
        )
        checks.append(at_most("start to `ready`", statistics.median(starts), START_SECONDS, "s"))
    figures = {
        "publish": [asdict(run) for run in publishing],
        "catch_up": [asdict(run) for run in catching],
        "start_s": starts,
    }
    return conclude(checks, failures, figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
