"""Every example of the page about the Python client runs as it stands there, but for the port."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import msgspec
import pytest

import missioncontrol.client
from missioncontrol.client import answer, call, publish
from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("client") / "workspace") as server:
        yield server


def example(mark: str, server: ServerProcess) -> str:
    found: str = next(code for code in EXAMPLES if mark in code)
    return found.replace("http://127.0.0.1:3001", server.url)


def endless(code: str, server: ServerProcess, wanted: str) -> None:
    """Run an example that follows the stream, telling it of things until it has said what it should."""
    with subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        stopped = threading.Event()

        def tell() -> None:
            while not stopped.wait(0.1):
                publish(server.url, "task:completed", {"taskId": "TASK-0001", "result": "read"})

        telling = threading.Thread(target=tell)
        telling.start()
        try:
            assert any(wanted in line for line in process.stdout)
        finally:
            stopped.set()
            telling.join()
            process.kill()


def once(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_no_example_that_is_not_run() -> None:
    marks = ("case Gap()", "item.typed()", "custom:deployed", "ask(")
    assert len(EXAMPLES) == len(marks)
    assert all(any(mark in code for code in EXAMPLES) for mark in marks)


def test_every_name_of_the_examples_is_public() -> None:
    for code in EXAMPLES:
        for names in re.findall(r"from missioncontrol.client import (.+)", code):
            assert set(names.split(", ")) <= set(missioncontrol.client.__all__)


def test_the_stream_is_followed(server: ServerProcess) -> None:
    endless(example("case Gap()", server), server, "go on later with since = ")


def test_typed_events_are_matched(server: ServerProcess) -> None:
    endless(example("item.typed()", server), server, "TASK-0001 is done: read")


def test_one_call_publishes_once(server: ServerProcess) -> None:
    for _ in range(2):
        once(example("custom:deployed", server))
    page = msgspec.json.decode(call(server.url, "/api/system/events?events=custom:deployed"))
    assert [event["data"] for event in page] == [{"version": "1.4"}]


def test_a_question_is_asked_and_answered(server: ServerProcess) -> None:
    said: list[str] = []
    asking = threading.Thread(target=lambda: said.append(once(example("ask(", server))))
    asking.start()
    deadline = monotonic() + 30
    while not (found := msgspec.json.decode(call(server.url, "/api/questions?status=open"))["questions"]):
        assert monotonic() < deadline
        sleep(0.05)
    answer(server.url, found[0]["id"], "yes", token=server.owner_secret)
    asking.join(30)
    assert said == ["deploying\n"]
