"""Claude Code's hooks against a real server: next to the transcript, for permissions, through restarts."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from missioncontrol.testing import ServerProcess, start_server
from tests.asking import budgets_of, spend
from tests.process.claude_session import ClaudeSession, Object, until
from tests.runtimes.hooks.payloads import EVENTS, payload

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

AGENT = "claude-shop"
ALLOWED = {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": {"behavior": "allow"}}}
RM = {"command": "rm -rf node_modules"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where Claude Code keeps its transcripts."""
    folder = tmp_path / "claude"
    (folder / "projects").mkdir(parents=True)
    return folder


@pytest.fixture
def server(tmp_path: Path, home: Path) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "workspace", env={"CLAUDE_CONFIG_DIR": str(home)}) as server:
        yield server


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def get(server: ServerProcess, path: str) -> Any:
    return httpx.get(server.url + path, timeout=10).raise_for_status().json()


def agents(server: ServerProcess) -> list[Object]:
    found: list[Object] = get(server, "/api/agents")
    return found


def status(server: ServerProcess, agent: str = AGENT) -> str | None:
    return next((one["status"] for one in agents(server) if one["id"] == agent), None)


def open_questions(server: ServerProcess) -> list[Object]:
    found: list[Object] = get(server, "/api/questions?status=open")["questions"]
    return found


def events(server: ServerProcess, types: str) -> list[Object]:
    found: list[Object] = get(server, f"/api/system/events?limit=1000&events={types}")
    return found[::-1]


def has_calls(server: ServerProcess, count: int) -> bool:
    """Whether the transcripts have been read as far as so many responses."""
    used = {use["id"]: use for use in get(server, "/api/tokens")["agents"]}
    return bool(used.get(AGENT, {}).get("calls") == count)


def asking(session: ClaudeSession, query: str = "") -> httpx.Response:
    return session.hook("PermissionRequest", query, tool_name="Bash", tool_input=RM)


def answer(server: ServerProcess, question: Object, said: str) -> httpx.Response:
    """Answer as the person does."""
    return httpx.post(
        f"{server.url}/api/questions/{question['id']}/answer",
        json={"answer": said, "answeredBy": "anna", "digest": question["digest"]},
        headers={"Authorization": f"Bearer {server.owner_secret}"},
    )


def test_every_event_is_taken_and_counted_and_so_is_one_that_does_not_exist_yet(
    server: ServerProcess,
) -> None:
    for event in (*EVENTS, "MoodChanged"):
        taken = httpx.post(f"{server.url}/api/hooks/claude", json=payload(event))
        assert (taken.status_code, taken.content) == (204, b"")
    counted = get(server, "/api/hooks")["claude"]
    assert counted["events"] == dict.fromkeys(EVENTS, 1)
    assert counted["unknown"] == {"MoodChanged": 1}
    assert counted["lost"] == 0
    text = httpx.get(f"{server.url}/metrics").text
    assert 'mission_control_hooks_total{event="PreToolUse"} 1.0' in text
    assert 'mission_control_hooks_total{event="unknown"} 1.0' in text


def test_a_session_and_its_transcript_are_one_agent_with_one_status(
    server: ServerProcess, home: Path
) -> None:
    session = ClaudeSession(server, home)
    session.prompt("Tidy up.")
    until(lambda: status(server) == "busy")
    for number in range(4):
        arguments = {"command": f"make step-{number}"}
        session.returned("Bash", arguments, session.call("Bash", arguments))
    child = ClaudeSession(server, home, id_="agent-def456", parent=session.id)
    child.hook("SubagentStart")
    child.returned("Read", {"file_path": "/a"}, child.call("Read", {"file_path": "/a"}))
    child.hook("SubagentStop")
    session.end_turn()
    until(lambda: status(server) == "idle")
    until(lambda: has_calls(server, 6))
    assert [one["id"] for one in agents(server)] == [AGENT]
    told = [event["data"]["status"] for event in events(server, "agent:statusChange")]
    assert told == ["busy", "idle"]
    session.hook("SessionEnd", reason="prompt_input_exit")
    until(lambda: status(server) == "offline")
    (agent,) = agents(server)
    assert agent["statusSource"] == "Claude Code hook"
    assert datetime.fromisoformat(agent["confirmed"]).timestamp() == pytest.approx(
        datetime.now().timestamp(), abs=10
    )


def test_a_call_that_both_tell_of_is_one_call_to_the_runaway_alert(server: ServerProcess, home: Path) -> None:
    session = ClaudeSession(server, home)
    session.prompt("Wait for the queue.")
    again = {"command": "curl localhost/queue"}
    for count in range(1, 11):
        session.returned("Bash", again, session.call("Bash", again))
        until(partial(has_calls, server, count))
        alerts = [one for one in events(server, "system:alert") if one["data"]["details"].get("runaway")]
        assert len(alerts) == (count == 10)
    assert alerts[0]["data"]["details"]["count"] == 10
    activity = [one for one in events(server, "agent:activity") if one["data"].get("activity")]
    assert {one["data"]["activity"] for one in activity} == {"Bash curl localhost/queue"}


def test_who_is_spoken_to_first_is_whose_session_it_is(
    server: ServerProcess, tmp_path: Path, home: Path
) -> None:
    for name in ("scout", "forge"):
        folder = tmp_path / "workspace" / "agents" / name
        folder.mkdir(parents=True)
        (folder / "SOUL.md").write_text(f"**Name:** {name.capitalize()}\n")
    until(lambda: len(agents(server)) == 2)
    session = ClaudeSession(server, home, transcript=False)
    session.prompt("You are Scout. Look around.")
    until(lambda: status(server, "scout") == "busy")
    session.prompt("You are Forge, they say?")
    session.end_turn()
    until(lambda: status(server, "scout") == "idle")
    assert status(server, "forge") != "idle"
    assert status(server) is None


def test_an_error_and_a_notification_show(server: ServerProcess, home: Path) -> None:
    session = ClaudeSession(server, home, transcript=False)
    session.prompt("Go on.")
    session.hook("StopFailure", error="rate_limit", last_assistant_message="API Error: Rate limit reached")
    until(lambda: status(server) == "error")
    assert agents(server)[0]["statusDetail"] == "API Error: Rate limit reached"
    # A minute later Claude is still at its prompt: nothing is waited for, and the error stays one.
    session.hook("Notification", notification_type="idle_prompt", message="Claude is waiting for your input")
    session.hook(
        "Notification", notification_type="permission_prompt", message="Claude needs your permission"
    )
    until(lambda: status(server) == "waiting")


def test_a_permission_shows_until_the_terminal_has_decided(server: ServerProcess, home: Path) -> None:
    session = ClaudeSession(server, home)
    session.prompt("Clean.")
    call = session.call("Bash", RM)
    assert asking(session).status_code == 204
    (question,) = open_questions(server)
    assert (question["kind"], question["options"], question["agentId"]) == ("permission", [], AGENT)
    assert question["text"] == "Allow Bash: rm -rf node_modules"
    assert "terminal" in question["details"]["note"]
    until(lambda: status(server) == "waiting")
    assert agents(server)[0]["statusDetail"] == "Bash rm -rf node_modules"
    # Another tool that runs next to it comes back, in the transcript and by hook: it still waits.
    other = {"file_path": "/b"}
    session.returned("Read", other, session.call("Read", other, beside=True))
    session.hook(
        "Notification", notification_type="permission_prompt", message="Claude needs your permission"
    )
    assert len(open_questions(server)) == 1
    session.returned("Bash", RM, call)
    until(lambda: status(server) == "busy")
    (closed,) = get(server, "/api/questions")["questions"]
    assert (closed["status"], closed["reason"]) == ("closed", "elsewhere")
    told = [event["data"]["status"] for event in events(server, "agent:statusChange")]
    assert told == ["busy", "waiting", "busy"]


def test_a_denial_in_the_terminal_is_known_from_the_transcript(server: ServerProcess, home: Path) -> None:
    session = ClaudeSession(server, home)
    session.prompt("Clean.")
    session.call("Bash", RM)
    asking(session)
    until(lambda: status(server) == "waiting")
    text = [{"type": "text", "text": "[Request interrupted by user for tool use]"}]
    session.write({"type": "user", "message": {"role": "user", "content": text}})
    until(lambda: status(server) == "idle")
    until(lambda: not open_questions(server))


@pytest.mark.parametrize(("said", "behavior"), [("allow", "allow"), ("DENY", "deny")])
def test_a_permission_is_answered_in_the_office(
    server: ServerProcess, home: Path, beside: ThreadPoolExecutor, said: str, behavior: str
) -> None:
    session = ClaudeSession(server, home)
    session.prompt("Clean.")
    session.call("Bash", RM)
    held = beside.submit(asking, session, "?answer=1")
    (question,) = until(lambda: open_questions(server))
    assert question["options"] == ["allow", "deny"]
    until(lambda: get(server, "/api/hooks")["claude"]["held"] == 1)
    assert not held.done()
    assert answer(server, question, said).status_code == 200
    response = held.result(5)
    assert response.status_code == 200
    if behavior == "allow":
        assert response.json() == ALLOWED
    else:
        decided = response.json()["hookSpecificOutput"]["decision"]
        assert decided == {"behavior": "deny", "message": "Denied by anna in Mission Control."}
    until(lambda: status(server) == "busy")
    assert get(server, "/api/hooks")["claude"]["held"] == 0


def test_all_arguments_of_a_held_mcp_tool_are_shown(
    server: ServerProcess, home: Path, beside: ThreadPoolExecutor
) -> None:
    session = ClaudeSession(server, home, transcript=False)
    given = {"owner": "acme", "repo": "shop", "body": "x" * 20_000, "force": True}
    held = beside.submit(
        session.hook, "PermissionRequest", "?answer=1", tool_name="mcp__github__merge", tool_input=given
    )
    (question,) = until(lambda: open_questions(server))
    review = get(server, f"/api/questions/{question['id']}")["review"]
    shown, _ = [part["text"] for part in review["parts"] if part["kind"] == "json"]
    assert json.loads(shown) == given
    answer(server, question, "deny").raise_for_status()
    assert held.result(5).json()["hookSpecificOutput"]["decision"]["behavior"] == "deny"


def test_a_permission_that_is_too_long_to_be_shown_is_left_to_the_terminal(
    server: ServerProcess, home: Path
) -> None:
    session = ClaudeSession(server, home, transcript=False)
    given = {"file_path": "/a", "content": "x" * 60_000}
    assert (
        session.hook("PermissionRequest", "?answer=1", tool_name="Write", tool_input=given).status_code == 204
    )
    (question,) = open_questions(server)
    assert question["options"] == []
    review = get(server, f"/api/questions/{question['id']}")["review"]
    assert review["complete"] is False
    assert any("terminal" in part["text"] for part in review["parts"] if part["kind"] == "warning")
    assert answer(server, question, "allow").status_code == 409


def test_a_held_permission_is_decided_in_the_terminal(
    server: ServerProcess, home: Path, beside: ThreadPoolExecutor
) -> None:
    session = ClaudeSession(server, home, transcript=False)
    session.prompt("Clean.")
    call = session.call("Bash", RM)
    held = beside.submit(asking, session, "?answer=1")
    (question,) = until(lambda: open_questions(server))
    session.returned("Bash", RM, call)
    assert held.result(5).status_code == 204
    assert get(server, f"/api/questions/{question['id']}")["reason"] == "elsewhere"
    until(lambda: status(server) == "busy")


def test_a_denial_that_comes_after_the_terminal_has_allowed_it_is_said_to_have_come_too_late(
    server: ServerProcess, home: Path, beside: ThreadPoolExecutor
) -> None:
    session = ClaudeSession(server, home, transcript=False)
    for number in range(2):
        call = session.call("Bash", RM)
        held = beside.submit(asking, session, "?answer=1")
        (question,) = until(lambda: open_questions(server))
        answer(server, question, "deny").raise_for_status()
        held.result(5)
        if number == 0:
            # It was denied in time: the same command asks again, and is not in its way.
            session.end_turn()
    assert not events(server, "system:alert")
    session.returned("Bash", RM, call)
    (alert,) = events(server, "system:alert")
    assert alert["data"]["level"] == "warning"
    assert alert["data"]["details"]["questionId"] == question["id"]
    assert "came too late" in alert["data"]["message"]
    assert "rm -rf node_modules" in alert["data"]["message"]
    session.returned("Bash", RM, session.call("Bash", RM))
    assert len(events(server, "system:alert")) == 1


def test_a_held_permission_that_nobody_answers_is_left_to_the_terminal(
    server: ServerProcess, home: Path
) -> None:
    session = ClaudeSession(server, home, transcript=False)
    response = asking(session, "?answer=1&wait=1")
    assert (response.status_code, response.content) == (204, b"")
    (question,) = get(server, "/api/questions")["questions"]
    assert (question["status"], question["reason"]) == ("closed", "expired")


def test_a_client_that_goes_away_withdraws_its_question(server: ServerProcess, home: Path) -> None:
    session = ClaudeSession(server, home, transcript=False)
    session.prompt("Clean.")
    host, port = server.url.removeprefix("http://").split(":")
    sent = httpx.Request(
        "POST",
        f"{server.url}/api/hooks/claude?answer=1",
        json=payload("PermissionRequest", session_id=session.id),
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.headers.items())
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"POST /api/hooks/claude?answer=1 HTTP/1.1\r\n{head}\r\n".encode() + sent.content)
        (question,) = until(lambda: open_questions(server))
    until(lambda: not open_questions(server))
    assert get(server, f"/api/questions/{question['id']}")["reason"] == "withdrawn"


def test_a_server_that_stops_lets_go_of_whoever_waits(
    server: ServerProcess, home: Path, beside: ThreadPoolExecutor
) -> None:
    session = ClaudeSession(server, home, transcript=False)
    held = beside.submit(asking, session, "?answer=1")
    until(lambda: open_questions(server))
    assert server.stop() == 0
    assert held.result(5).status_code == 204
    server.start()
    until(lambda: not open_questions(server))


def test_a_killed_server_goes_on_where_it_was(
    server: ServerProcess, home: Path, beside: ThreadPoolExecutor
) -> None:
    held_one = ClaudeSession(server, home, id_="11111111-held", cwd="/home/anna/held", transcript=False)
    shown_one = ClaudeSession(server, home)
    shown_one.prompt("Clean.")
    call = shown_one.call("Bash", RM)
    asking(shown_one)
    held = beside.submit(asking, held_one, "?answer=1")
    until(lambda: len(open_questions(server)) == 2)
    until(lambda: status(server) == status(server, "claude-held") == "waiting")
    server.kill()
    assert isinstance(held.exception(5), httpx.TransportError)
    server.start()
    # Nobody holds the one any more: Claude asks in the terminal. The other one is as it was.
    until(lambda: [one["agentId"] for one in open_questions(server)] == [AGENT])
    assert status(server) == status(server, "claude-held") == "waiting"
    shown_one.returned("Bash", RM, call)
    until(lambda: status(server) == "busy")
    assert open_questions(server) == []
    assert sorted(one["id"] for one in agents(server)) == ["claude-held", AGENT]


@pytest.fixture
def counting(tmp_path: Path, home: Path) -> Iterator[ServerProcess]:
    """A server that asks about budgets."""
    options, env = budgets_of(tmp_path, AGENT), {"CLAUDE_CONFIG_DIR": str(home)}
    with start_server(tmp_path / "counted", options=options, env=env) as server:
        yield server


def test_a_stopped_budget_stops_claude_only_where_that_was_asked_for(
    counting: ServerProcess, home: Path
) -> None:
    session = ClaudeSession(counting, home, transcript=False)
    session.prompt("Spend.")
    answer(counting, spend(counting, AGENT), "stop").raise_for_status()
    assert session.prompt("More.").status_code == 204
    told = session.prompt("More.", "?budgets=1").json()
    assert told["continue"] is False
    assert "anna has said stop" in told["stopReason"]
    before = session.hook("PreToolUse", "?budgets=1", tool_name="Bash", tool_input=RM, tool_use_id="t").json()
    assert before["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert session.hook("Stop", "?budgets=1").status_code == 204


def test_what_a_budget_asks_belongs_to_the_server_and_a_person(counting: ServerProcess, home: Path) -> None:
    session = ClaudeSession(counting, home, transcript=False)
    session.prompt("Spend.")
    # Whatever key it might be asked under, an agent that asks first keeps nothing from being asked.
    key = f"budget:agent:{AGENT}:{datetime.now():%Y-%m-%d}"
    first = httpx.post(f"{counting.url}/api/questions", json={"text": "Lunch?", "key": key}).json()
    asked = spend(counting, AGENT)
    assert asked["id"] != first["id"]
    path = f"{counting.url}/api/questions/{asked['id']}"
    assert httpx.request("DELETE", path, json={"key": key}).status_code == 403
    answer(counting, asked, "stop").raise_for_status()
    # Nothing that an agent can ask and withdraw makes the server forget it, and neither does a restart.
    for number in range(105):
        mine = {"text": f"{number}?", "options": ["a"], "key": f"k{number}"}
        id_ = httpx.post(f"{counting.url}/api/questions", json=mine).json()["id"]
        withdrawn = httpx.request("DELETE", f"{counting.url}/api/questions/{id_}", json={"key": mine["key"]})
        assert withdrawn.status_code == 200
    assert session.prompt("More.", "?budgets=1").json()["continue"] is False
    counting.kill()
    counting.start()
    until(lambda: session.prompt("More.", "?budgets=1").status_code == 200)
