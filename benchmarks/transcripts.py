"""Transcripts: how fast the readers get through what the runtimes leave behind, on one core.

Sessions are written into a temporary folder as each runtime writes them: most of the bytes are the results of tools and
the files that agents write. Then they are read from start to end, with positions in between as the server keeps them.

    python -m benchmarks.transcripts --megabytes 500
"""

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.targets import at_least, conclude
from missioncontrol.runtimes.base import Transcript
from missioncontrol.runtimes.claude.runtime import LINES as CLAUDE
from missioncontrol.runtimes.codex.runtime import LINES as CODEX
from missioncontrol.runtimes.files.jsonl import JsonlReader, LineFormat, Position
from missioncontrol.runtimes.openclaw.agent_database import AgentDatabase, AgentPosition
from missioncontrol.runtimes.openclaw.runtime import LINES as OPENCLAW
from missioncontrol.runtimes.records import Usage

MB_PER_SECOND = 100.0
FILE_BYTES = 20_000_000
"""How long one session becomes."""

BEGAN = 1_795_395_000_000
WORDS = Path(__file__).read_text(encoding="utf-8").replace("the", 'the "quoted"\té')

Lines = Callable[[random.Random, int], list[dict[str, Any]]]


class Speed(NamedTuple):
    """What was read, in bytes and responses, and how long it took in seconds."""

    size: int
    responses: int
    seconds: float

    @property
    def megabytes(self) -> float:
        """Megabytes in a second."""
        return self.size / 1e6 / self.seconds


def prose(chance: random.Random, usual: int) -> str:
    """Write a text, most often of about the usual length, sometimes of many times that."""
    length = int(chance.lognormvariate(0, 1) * usual)
    start = chance.randrange(len(WORDS) // 2)
    return (WORDS[start:] * (length // 1_000 + 2))[:length]


def openclaw(chance: random.Random, turn: int) -> list[dict[str, Any]]:
    """Write a call with its result as OpenClaw does."""
    at, name, arguments = BEGAN + turn * 1000, *call(chance)
    tokens = {"input": 10, "output": chance.randrange(900), "cacheRead": 50_000, "cacheWrite": 700}
    content = [
        {"type": "thinking", "thinking": prose(chance, 400), "thinkingSignature": "x" * 300},
        {"type": "toolCall", "id": f"call_{turn}", "name": name, "arguments": arguments},
    ]
    answer = {
        "role": "assistant",
        "content": content,
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "usage": {**tokens, "totalTokens": sum(tokens.values()), "cost": {"total": 0.01}},
        "stopReason": "toolUse",
    }
    shown = prose(chance, 3_000)
    result = {
        "role": "toolResult",
        "toolCallId": f"call_{turn}",
        "content": [{"type": "text", "text": shown}],
    }
    return [
        {"type": "message", "id": f"a{turn}", "parentId": f"r{turn - 1}", "timestamp": at, "message": answer},
        {
            "type": "message",
            "id": f"r{turn}",
            "parentId": f"a{turn}",
            "timestamp": at + 500,
            "message": {**result, "details": {"aggregated": shown}},
        },
    ]


def claude(chance: random.Random, turn: int) -> list[dict[str, Any]]:
    """Write a call with its result as Claude Code does: a line for each part of the response."""
    name, arguments = call(chance)
    usual = {
        "isSidechain": False,
        "userType": "external",
        "cwd": "/home/user/website",
        "sessionId": "s",
        "version": "2.1.240",
        "gitBranch": "main",
        "timestamp": BEGAN + turn * 1000,
    }
    usage = {"input_tokens": 9, "cache_read_input_tokens": 50_000, "output_tokens": chance.randrange(900)}
    response = {"id": f"msg_{turn}", "role": "assistant", "model": "claude-sonnet-4-5", "usage": usage}
    parts = [
        {"type": "thinking", "thinking": prose(chance, 400), "signature": "x" * 300},
        {"type": "tool_use", "id": f"toolu_{turn}", "name": name, "input": arguments},
    ]
    shown = prose(chance, 3_000)
    content = [{"tool_use_id": f"toolu_{turn}", "type": "tool_result", "content": shown}]
    return [
        *({**usual, "type": "assistant", "message": {**response, "content": [part]}} for part in parts),
        {
            **usual,
            "type": "user",
            "message": {"role": "user", "content": content},
            "toolUseResult": {"stdout": shown},
        },
    ]


def codex(chance: random.Random, turn: int) -> list[dict[str, Any]]:
    """Write a call with its result as Codex does."""
    at, name, arguments = BEGAN + turn * 1000, *call(chance)
    total = {
        "input_tokens": 50_000 * (turn + 1),
        "cached_input_tokens": 49_000 * turn,
        "output_tokens": 90 * turn,
    }
    function = {
        "type": "function_call",
        "name": name,
        "call_id": f"c{turn}",
        "arguments": json.dumps(arguments),
    }
    output = {"type": "function_call_output", "call_id": f"c{turn}", "output": prose(chance, 5_000)}
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": "x" * 1_500}
    count = {"type": "token_count", "info": {"total_token_usage": total, "last_token_usage": total}}
    lines = (
        ("response_item", reasoning),
        ("response_item", function),
        ("response_item", output),
        ("event_msg", count),
    )
    return [{"timestamp": at, "type": type_, "payload": payload} for type_, payload in lines]


def call(chance: random.Random) -> tuple[str, dict[str, Any]]:
    """Choose what an agent does: one call in four writes a file."""
    if chance.random() < 0.25:
        return "write", {"path": f"src/part{chance.randrange(99)}.py", "content": prose(chance, 3_000)}
    return "exec", {"command": f"rg --line-number word{chance.randrange(99)} src"}


def lines(of: Lines, chance: random.Random, size: int) -> Iterator[bytes]:
    """Write lines until they are so many bytes."""
    turn = 0
    while size > 0:
        for entry in of(chance, turn):
            line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            size -= len(line)
            yield line
        turn += 1


def write_files(folder: Path, of: Lines, size: int) -> list[Path]:
    """Write sessions of one runtime, so many bytes in all."""
    paths = []
    for number in range(max(1, size // FILE_BYTES)):
        path = folder / f"{of.__name__}-{number}.jsonl"
        with path.open("wb") as file:
            file.writelines(lines(of, random.Random(number), min(size, FILE_BYTES)))
        paths.append(path)
    return paths


def write_database(folder: Path, size: int) -> Path:
    """Write OpenClaw's sessions into a database as its newer releases do."""
    path = folder / "openclaw-agent.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE session_windows (session_id TEXT PRIMARY KEY, session_key TEXT);"
        "CREATE TABLE transcript_events (session_id TEXT, seq INTEGER, event_json TEXT, created_at INTEGER,"
        " event_zstd BLOB, PRIMARY KEY (session_id, seq))"
    )
    for number in range(max(1, size // FILE_BYTES)):
        connection.execute("INSERT INTO session_windows VALUES (?, 'agent:main:main')", (str(number),))
        for seq, line in enumerate(lines(openclaw, random.Random(number), min(size, FILE_BYTES))):
            row = (str(number), seq, line.decode(), BEGAN)
            connection.execute("INSERT INTO transcript_events VALUES (?, ?, ?, ?, NULL)", row)
    connection.commit()
    connection.close()
    return path


def read_files(format_: LineFormat, paths: list[Path]) -> Speed:
    """Read files to their ends."""
    responses = 0
    begin = time.perf_counter()
    for path in paths:
        reader, position = JsonlReader(Transcript(path, "openclaw", "main"), format_), Position()
        while True:
            records, after = reader.read(position)
            responses += sum(isinstance(record, Usage) for record in records)
            if after.offset == position.offset:
                break
            position = after
    seconds = time.perf_counter() - begin
    return Speed(sum(path.stat().st_size for path in paths), responses, seconds)


def read_database(path: Path) -> Speed:
    """Read a database to its end."""
    database, position, responses = AgentDatabase(path, "main"), AgentPosition(), 0
    begin = time.perf_counter()
    while True:
        records, after = database.read(position)
        responses += sum(isinstance(record, Usage) for record in records)
        if after == position:
            break
        position = after
    seconds = time.perf_counter() - begin
    database.close()
    return Speed(path.stat().st_size, responses, seconds)


def measure(megabytes: int) -> dict[str, Speed]:
    """Write a quarter of so many megabytes for each reader, and read it."""
    size = megabytes * 1_000_000 // 4
    speeds: dict[str, Speed] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        formats = {
            "OpenClaw, JSONL": (openclaw, OPENCLAW),
            "Claude Code": (claude, CLAUDE),
            "Codex": (codex, CODEX),
        }
        for runtime, (of, format_) in formats.items():
            paths = write_files(folder, of, size)
            speeds[runtime] = read_files(format_, paths)
            for path in paths:
                path.unlink()
        speeds["OpenClaw, SQLite"] = read_database(write_database(folder, size))
    return speeds


def main() -> int:
    """Measure once; 1 when a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.transcripts", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--megabytes", type=int, default=500, help="how much to write and read in all")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    arguments = parser.parse_args()
    if arguments.megabytes <= 0:
        parser.error("--megabytes must be above zero")
    speeds = measure(arguments.megabytes)
    for runtime, speed in speeds.items():
        print(
            f"{runtime}: {speed.size / 1e6:,.0f} MB with {speed.responses:,} responses in {speed.seconds:.2f} s,"
            f" {speed.megabytes:,.0f} MB/s"
        )
    checks = [
        at_least(f"{runtime}, MB/s", speed.megabytes, MB_PER_SECOND, "MB/s")
        for runtime, speed in speeds.items()
    ]
    figures = {runtime: speed._asdict() for runtime, speed in speeds.items()}
    return conclude(checks, [], figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
