"""Types of msgspec are prepared at import: two threads that prepare one at the same time crash the process."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import missioncontrol
from tests.runtimes.installs import install

SOURCES = Path(missioncontrol.__file__).parent
PREPARED_ELSEWHERE = {
    ("events/event.py", "shape"): "all shapes of the catalogue, in `_prepared`",
    ("events/event.py", "list[Draft]"): "`_many_decoder`",
    ("server/mcp/tool.py", "self.arguments"): "where the tool is made",
    ("server/routes/questions.py", "kind"): "in `_prepared`",
    ("client/wire.py", "_Connected"): "in `_prepared`",
    ("client/wire.py", "_At"): "in `_prepared`",
    ("client/wire.py", "_Drain"): "in `_prepared`",
    ("client/wire.py", "_Error"): "in `_prepared`",
    ("client/wire.py", "Gap"): "in `_prepared`",
}
"""Where `msgspec.convert` is given a type that no decoder of its module names as it is written there."""

FIRST_USE = """
import sys
from pathlib import Path
from threading import Barrier, Thread

sys.setswitchinterval(1e-6)
from missioncontrol.runtimes.files.jsonl import JsonlReader, Position
from missioncontrol.runtimes.openclaw.agent_database import AgentDatabase, AgentPosition
from missioncontrol.runtimes.openclaw.state_database import StateDatabase, StatePosition
from missioncontrol.runtimes.openclaw.places import find_openclaw, gateway_address, roster
from missioncontrol.runtimes.openclaw.runtime import LINES
from missioncontrol.runtimes.registry import transcripts

state = Path(sys.argv[1])
place = find_openclaw(str(state), state / "workspace")


def read():
    together.wait()
    gateway_address(place)
    roster(place)
    for transcript in transcripts(place):
        if transcript.kind == "openclaw-agent":
            AgentDatabase(transcript.path, "scout").read(AgentPosition())
        elif transcript.kind == "openclaw-state":
            database = StateDatabase(transcript.path)
            database.read(StatePosition())
            database.is_alive(0)
            database.cron_jobs()
        elif transcript.kind == "openclaw":
            JsonlReader(transcript, LINES).read(Position())


together = Barrier(6)
threads = [Thread(target=read) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def calls(name: str) -> Iterator[tuple[str, ast.Call, ast.Module]]:
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
                yield path.relative_to(SOURCES).as_posix(), node, tree


def test_no_json_is_decoded_into_a_type_without_a_decoder_of_the_module() -> None:
    typed = [
        f"{path}:{call.lineno}"
        for path, call, _ in calls("msgspec.json.decode")
        if any(keyword.arg in ("type", None) for keyword in call.keywords)
    ]
    assert typed == [], "decode it with a module-level msgspec.json.Decoder(...)"


def test_every_type_that_values_are_converted_to_is_prepared_at_import() -> None:
    unprepared: list[str] = []
    converted = list(calls("msgspec.convert"))
    assert converted
    for path, call, tree in converted:
        wanted = ast.unparse(call.args[1])
        at_import = {
            ast.unparse(node.args[0])
            for statement in tree.body
            if isinstance(statement, (ast.Assign, ast.AnnAssign))
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "msgspec.json.Decoder"
        }
        if wanted not in at_import and (path, wanted) not in PREPARED_ELSEWHERE:
            unprepared.append(f"{path}:{call.lineno}: {wanted}")
    assert unprepared == []


def test_decoders_are_made_at_import_and_not_in_functions() -> None:
    inside: set[str] = set()
    for path in sorted(SOURCES.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and ast.unparse(node.func) == "msgspec.json.Decoder":
                        inside.add(f"{path.relative_to(SOURCES).as_posix()}: {ast.unparse(node)}")
    # Tools are made at import; what makes them is a function.
    assert inside == {"server/mcp/tool.py: msgspec.json.Decoder(hints['arguments'])"}


def test_readers_may_be_used_for_the_first_time_by_several_threads_at_once(tmp_path: Path) -> None:
    samples = [install(tmp_path / sample, sample) for sample in ("2026.9.6-sqlite", "2026.7.35-jsonl")]
    for number in range(8):
        command = [sys.executable, "-X", "faulthandler", "-c", FIRST_USE, str(samples[number % 2])]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr[-3_000:]
