"""Search: how long a query takes over 1,000,000 events and 1,000,000 messages of transcripts.

The fleet is made up, of words as agents write them: a few are everywhere, most are rare. All of it is published, and
written into transcripts of Claude Code, before anything is looked for. Each query is asked in turn with all others,
over HTTP as the dashboard asks it; the figures are the median and the longest of its rounds.

    python -m benchmarks.search --events 1000000 --messages 1000000
"""

import argparse
import http.client
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from benchmarks.servers import PEERS, BenchmarkError, Server, prepare, running
from benchmarks.targets import at_most, conclude

SUBJECT = PEERS["mission-control"]
BATCH = 1_000
LIMIT_MS = 100.0
PATIENCE_SECONDS = 1_800.0

COMMON = ("the", "report", "task", "agent", "file", "test", "done", "error", "review", "build")
AGENTS = tuple(f"claude-agent{number}" for number in range(50))
QUERIES = {
    "a word that is everywhere": "report",
    "two such words": "report error",
    "a word that stands in one of 100,000": "needle",
    "a rare and a common word": "needle report",
    "the beginning of many words": "wo",
    "words side by side": '"the report"',
    "a common word of one agent": "agent:claude-agent7 report",
    "a common word without another": "report -error",
    "nothing": "nothingofthekind",
}


def text(chance: random.Random, number: int) -> str:
    """Write what one event or message says; one in 100,000 has the needle."""
    words = [
        chance.choice(COMMON) if chance.random() < 0.4 else f"word{chance.randrange(50_000)}"
        for _ in range(12)
    ]
    if number % 100_000 == 77:
        words.append("needle")
    return " ".join(words)


def events(chance: random.Random, first: int) -> bytes:
    """Make one request's NDJSON."""
    return b"\n".join(
        json.dumps(
            {
                "type": chance.choice(("task:created", "custom:note", "agent:activity")),
                "data": {"agentId": chance.choice(AGENTS), "text": text(chance, number)},
            }
        ).encode()
        for number in range(first, first + BATCH)
    )


def write_transcripts(folder: Path, chance: random.Random, messages: int) -> None:
    """Write so many messages, in sessions of 1,000."""
    folder.mkdir(parents=True)
    began = time.time() - messages / 1_000
    for first in range(0, messages, BATCH):
        with (folder / f"session-{first}.jsonl").open("w") as file:
            for number in range(first, min(first + BATCH, messages)):
                entry = {
                    "type": "user",
                    "uuid": str(number),
                    "timestamp": (began + number / 1_000) * 1_000,
                    "cwd": f"/home/{chance.choice(AGENTS).removeprefix('claude-')}",
                    "message": {"role": "user", "content": text(chance, number)},
                }
                file.write(json.dumps(entry) + "\n")


def ask(connection: http.client.HTTPConnection, path: str) -> dict[str, object]:
    """Ask for JSON."""
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise BenchmarkError(f"{path}: {answer.status} {content[:300].decode(errors='replace')}")
    found = json.loads(content)
    assert isinstance(found, dict)
    return found


def publish(server: Server, chance: random.Random, count: int) -> None:
    """Publish so many events."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for first in range(0, count, BATCH):
        connection.request(
            "POST", "/api/events", events(chance, first), {"Content-Type": "application/x-ndjson"}
        )
        answer = connection.getresponse()
        if answer.read() and answer.status != 201:
            raise BenchmarkError(f"POST /api/events: {answer.status}")
    connection.close()


def wait_until_indexed(server: Server, messages: int) -> float:
    """Wait until everything can be found; give the seconds that this took."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_SECONDS:
        found = ask(connection, "/api/search?q=needle&limit=1")
        said = ask(connection, "/api/search?q=needle&limit=1&in=transcripts")
        if not found["lag"] and not found.get("unread") and said["count"] == max(1, messages // 100_000):
            connection.close()
            return time.monotonic() - began
        time.sleep(0.5)
    raise BenchmarkError("not everything can be found after half an hour")


def rounds(server: Server, place: str, count: int) -> Iterator[tuple[str, float]]:
    """Ask everything so many times, in turn; give each query's milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for number in range(count + 1):
        for name, query in QUERIES.items():
            began = time.perf_counter()
            ask(connection, f"/api/search?q={quote(query)}&in={place}&limit=30")
            if number:
                yield name, (time.perf_counter() - began) * 1e3
    connection.close()


def main() -> int:
    """Measure once; 1 when a target is missed, 2 when the run gave no figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write every latency to this file")
    arguments = parser.parse_args()
    if min(arguments.events, arguments.messages, arguments.rounds) <= 0:
        parser.error("--events, --messages and --rounds must be above zero")
    prepare([SUBJECT.name])
    chance = random.Random(11)
    checks, failures = [], []
    record: dict[str, object] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            folder = Path(name)
            write_transcripts(folder / "home/.claude/projects/bench", chance, arguments.messages)
            with running(SUBJECT, folder) as server:
                publish(server, chance, arguments.events)
                record["indexed_s"] = wait_until_indexed(server, arguments.messages)
                print(f"all can be found {record['indexed_s']:.0f} s after the last was published")
                for place in ("events", "transcripts", "events,transcripts"):
                    taken: dict[str, list[float]] = {}
                    for query, milliseconds in rounds(server, place, arguments.rounds):
                        taken.setdefault(query, []).append(milliseconds)
                    for query, values in taken.items():
                        values.sort()
                        print(
                            f"{place:20} {query:38} p50 {values[len(values) // 2]:6.1f} ms, max {values[-1]:6.1f} ms"
                        )
                    record[place] = taken
                    slowest = max(values[len(values) // 2] for values in taken.values())
                    checks.append(at_most(f"slowest query in {place}, median", slowest, LIMIT_MS, "ms"))
    except (BenchmarkError, OSError, http.client.HTTPException) as error:
        failures.append(str(error))
    return conclude(checks, failures, record, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
