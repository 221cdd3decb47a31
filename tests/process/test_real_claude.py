"""Permissions with the real Claude Code, in a real terminal, with a model on loopback; `make claude` installs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from missioncontrol.testing import ServerProcess, start_server
from tests.process.claude_session import Object, until
from tests.process.fake_model import FakeModel
from tests.terminal import Terminal

CLAUDE = Path(__file__).parent.parent.parent / ".tools" / "claude" / "node_modules" / ".bin" / "claude"
KEY = "a-key-of-no-use-elsewhere"

pytestmark = [
    pytest.mark.process,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not CLAUDE.exists(), reason="There is no Claude Code; `make claude` installs it."),
]


class Claude:
    """A session of Claude Code in the folder `project`, connected to a server of its own with `--answer`."""

    def __init__(self, folder: Path, server: ServerProcess, model: FakeModel, *options: str) -> None:
        self.project = folder / "shop"
        self.project.mkdir()
        self.server, self.model = server, model
        settings = folder / "claude"
        env = {
            "HOME": str(folder),
            "CLAUDE_CONFIG_DIR": str(settings),
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        }
        known = {
            "hasCompletedOnboarding": True,
            "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
            "projects": {str(self.project): {"hasTrustDialogAccepted": True}},
            "mcpServers": {"office": {"type": "http", "url": f"{server.url}/mcp"}},
        }
        (settings / ".claude.json").write_text(json.dumps(known))
        command = [sys.executable, "-m", "missioncontrol.cli", "connect", "claude", "--answer"]
        where = ["--url", server.url, "--settings", str(settings / "settings.json")]
        subprocess.run([*command, *where, *options], check=True, capture_output=True, timeout=30)
        self.terminal = Terminal(folder, 120, 50, env=env)
        # Releases differ in their default: in auto mode Claude does not ask.
        self.terminal.type(f"cd {self.project} && {CLAUDE} --permission-mode default")
        self.terminal.press("Enter")
        self.terminal.wait_for("? for shortcuts")

    def prompt(self) -> None:
        """Have it begin with the calls of its model."""
        self.terminal.type("Go on.")
        self.terminal.wait_for("Go on.")
        self.terminal.press("Enter")

    def asked(self, before: str = "") -> Object:
        """Wait for a permission, other than the one `before`, and return its question with the review."""

        def look() -> Object | None:
            listed = httpx.get(f"{self.server.url}/api/questions?status=open").json()["questions"]
            new = [one for one in listed if one["kind"] == "permission" and one["id"] != before]
            return new[0] if new else None

        return self.question(until(look, 20)["id"])

    def question(self, id_: str) -> Object:
        found: Object = httpx.get(f"{self.server.url}/api/questions/{id_}").json()
        return found

    def closed(self, question: Object) -> str:
        """Wait until a question is not open any more, and return it."""

        def look() -> str | None:
            now = self.question(question["id"])
            return None if now["status"] == "open" else str(now.get("reason") or now["answer"])

        return str(until(look, 20))

    def answer(self, question: Object, said: str, *, proof: bool = True) -> int:
        """Answer, as the person where there is `proof`; returns the status."""
        headers = {"Authorization": f"Bearer {self.server.owner_secret}"} if proof else {}
        body = {"answer": said, "digest": question["digest"]}
        path = f"{self.server.url}/api/questions/{question['id']}/answer"
        return httpx.post(path, json=body, headers=headers).status_code

    def proceed(self) -> None:
        """Accept what the terminal asks. It ignores keys while the question appears, so this is tried again."""
        for _ in range(10):
            self.terminal.press("Enter")
            with suppress(AssertionError):
                self.terminal.wait_for(lambda screen: "Do you want to proceed?" not in screen, seconds=1.0)
                return
        raise AssertionError("The terminal goes on asking.")

    def result(self, call: str) -> str:
        """Wait for what a tool gives back to the model."""
        return str(until(lambda: self.model.results.get(call), 20))


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with FakeModel() as model:
        yield model


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    folder = tmp_path / "claude"
    (folder / "projects").mkdir(parents=True)
    with start_server(tmp_path / "workspace", env={"CLAUDE_CONFIG_DIR": str(folder)}) as server:
        yield server


@pytest.fixture
def claude(tmp_path: Path, server: ServerProcess, model: FakeModel) -> Iterator[Claude]:
    claude = Claude(tmp_path, server, model)
    yield claude
    claude.terminal.close()


def shown(question: Object, kind: str) -> list[str]:
    return [part["text"] for part in question["review"]["parts"] if part["kind"] == kind]


def counted(server: ServerProcess) -> Any:
    return httpx.get(f"{server.url}/api/hooks").json()["claude"]


def test_what_is_allowed_is_shown_whole_and_runs_exactly_so(claude: Claude) -> None:
    file = claude.project / "notes.md"
    bash = {"command": "echo a\u200bb \u202ec > out.txt", "dangerouslyDisableSandbox": True, "timeout": 9000}
    calls = [
        claude.model.will_call("Bash", bash),
        claude.model.will_call("Write", {"file_path": str(file), "content": "one\ntwo\n"}),
        claude.model.will_call("Edit", {"file_path": str(file), "old_string": "two", "new_string": "2\n3"}),
    ]
    claude.prompt()
    question = claude.asked()
    assert question["details"]["input"] == bash
    assert shown(question, "code") == ["echo a⟦U+200B⟧b ⟦U+202E⟧c > out.txt"]
    assert json.loads(shown(question, "json")[0]) == {"dangerouslyDisableSandbox": True, "timeout": 9000}
    assert [option["text"] for option in question["review"]["options"]] == ["deny", "allow"]
    sandbox, hidden = shown(question, "warning")
    assert "outside the sandbox" in sandbox
    assert "cannot be seen" in hidden
    assert shown(question, "path") == [str(claude.project)]
    assert claude.answer(question, "allow") == 200
    claude.result(calls[0])
    assert (claude.project / "out.txt").read_text() == "a\u200bb \u202ec\n"
    question = claude.asked(question["id"])
    assert shown(question, "diff") == ["+one\n+two\n+"]
    assert shown(question, "path") == [str(file), str(claude.project)]
    assert claude.answer(question, "allow") == 200
    claude.result(calls[1])
    assert file.read_text() == "one\ntwo\n"
    question = claude.asked(question["id"])
    assert shown(question, "diff") == ["-two\n+2\n+3"]
    assert claude.answer(question, "allow") == 200
    claude.result(calls[2])
    assert file.read_text() == "one\n2\n3\n"
    assert (counted(claude.server)["unknown"], counted(claude.server)["lost"]) == ({}, 0)


def test_what_is_denied_does_not_run(claude: Claude) -> None:
    call = claude.model.will_call("Bash", {"command": "touch out.txt"})
    claude.prompt()
    question = claude.asked()
    assert claude.answer(question, "allow", proof=False) == 403
    assert claude.answer({**question, "digest": "0" * 64}, "allow") == 409
    assert claude.answer(question, "deny") == 200
    assert claude.result(call) == "Denied in Mission Control."
    claude.terminal.wait_for("Done.")
    assert not (claude.project / "out.txt").exists()


def test_the_agent_itself_answers_neither_by_a_command_nor_over_mcp(claude: Claude) -> None:
    server = claude.server
    other = httpx.post(
        f"{server.url}/api/questions", json={"text": "Deploy?", "options": ["yes", "no"]}
    ).json()
    script = claude.project / "answer.py"
    script.write_text(
        "import sys, urllib.request, urllib.error\n"
        "headers = {'Content-Type': 'application/json'}\n"
        'request = urllib.request.Request(sys.argv[1], b\'{"answer": "yes"}\', headers)\n'
        "try: print(urllib.request.urlopen(request).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    address = f"{server.url}/api/questions/{other['id']}/answer"
    by_command = claude.model.will_call("Bash", {"command": f"{sys.executable} {script} {address}"})
    event = {"type": "question:answered", "data": {"questionId": other["id"], "answer": "yes"}}
    over_mcp = claude.model.will_call("mcp__office__publish_event", event)
    claude.prompt()
    question = claude.asked()
    assert claude.answer(question, "allow") == 200
    assert claude.result(by_command).splitlines()[0] == "403"
    question = claude.asked(question["id"])
    assert json.loads(shown(question, "json")[0]) == event
    assert claude.answer(question, "allow") == 200
    assert "published by the server alone" in claude.result(over_mcp)
    assert claude.question(other["id"])["status"] == "open"


def test_what_is_decided_in_the_terminal_is_closed_here(claude: Claude) -> None:
    claude.model.will_call("Bash", {"command": "touch out.txt"})
    claude.prompt()
    question = claude.asked()
    claude.terminal.wait_for("Do you want to proceed?")
    claude.terminal.press("Escape")
    assert claude.closed(question) in ("withdrawn", "elsewhere")
    assert claude.answer(question, "allow") == 409
    assert not (claude.project / "out.txt").exists()


def test_a_denial_after_the_terminal_has_allowed_it_is_said_to_have_come_too_late(claude: Claude) -> None:
    call = claude.model.will_call("Bash", {"command": "until [ -e go ]; do sleep 0.1; done; touch out.txt"})
    claude.prompt()
    question = claude.asked()
    claude.terminal.wait_for("Do you want to proceed?")
    claude.proceed()
    assert claude.answer(question, "deny") == 200
    (claude.project / "go").touch()
    claude.result(call)
    assert (claude.project / "out.txt").exists()
    path = f"{claude.server.url}/api/system/events?events=system:alert"
    (alert,) = until(
        lambda: [one for one in httpx.get(path).json() if "questionId" in one["data"]["details"]]
    )
    assert alert["data"]["details"]["questionId"] == question["id"]


def test_a_permission_that_nobody_answers_is_left_to_the_terminal(
    tmp_path: Path, server: ServerProcess, model: FakeModel
) -> None:
    claude = Claude(tmp_path, server, model, "--wait", "1")
    try:
        call = model.will_call("Bash", {"command": "touch out.txt"})
        claude.prompt()
        question = claude.asked()
        assert claude.closed(question) == "expired"
        assert claude.answer(question, "allow") == 409
        claude.terminal.wait_for("Do you want to proceed?")
        assert not (claude.project / "out.txt").exists()
        claude.proceed()
        claude.result(call)
        assert (claude.project / "out.txt").exists()
    finally:
        claude.terminal.close()
