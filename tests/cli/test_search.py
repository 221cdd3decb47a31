"""`search`, against a real server."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from missioncontrol.cli import main
from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess, start_server

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("search")
    sessions = folder / "agents/scout/sessions"
    sessions.mkdir(parents=True)
    said = {"role": "assistant", "content": [{"type": "text", "text": "The importer \x1b[31m is ready"}]}
    entries = (
        {"type": "session", "version": 3, "id": "s1"},
        {"type": "message", "timestamp": time.time() * 1000, "message": said},
    )
    (sessions / "s1.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    with start_server(folder / "workspace") as server:
        for number in range(3):
            publish(
                server.url, "custom:note", {"text": f"Deploy {number} \x1b[31m failed", "agentId": "scout"}
            )
        yield server


def run(server: ServerProcess, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["search", *arguments, "--url", server.url])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_what_has_happened_is_found_by_its_words(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    until = time.monotonic() + 20
    while run(server, capsys, "deploy", "2", "--since", "1h")[0]:
        assert time.monotonic() < until
        time.sleep(0.05)
    status, out, err = run(server, capsys, "deploy", "agent:scout", "--limit", "2")
    assert (status, out.count("\n")) == (0, 2)
    assert "custom:note" in out
    assert "\x1b" not in out
    assert "3 in all" in err
    found = json.loads(run(server, capsys, "deploy", "--json", "--type", "custom")[1])
    assert [result["kind"] for result in found["results"]] == ["event"] * 3


def test_what_was_said_is_found_next_to_it(server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    until = time.monotonic() + 20
    while run(server, capsys, "importer")[0]:
        assert time.monotonic() < until
        time.sleep(0.05)
    _, out, _ = run(server, capsys, "importer", "agent:scout", "--in", "transcripts")
    assert re.fullmatch(r"\S+  scout, assistant  The importer .*is ready\n", out)
    assert "\x1b" not in out
    assert run(server, capsys, "importer", "--in", "events")[:2] == (1, "")


def test_what_cannot_be_looked_for_is_one_clear_line(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, capsys, "nothingofthekind")[:2] == (1, "")
    for arguments, wrong in (
        (("!!!",), "at least one word"),
        (("x", "--since", "k3v9x2ab:4711"), "goes by time"),
        (("x", "--since", "soon"), "soon"),
    ):
        status, out, err = run(server, capsys, *arguments)
        assert status != 0
        assert out == ""
        assert wrong in err
