"""Questions by the client: asked, waited for over a restart of the server, answered."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from missioncontrol.client import Client, Question, Refused, Snapshot, answer, ask, call, read_question
from missioncontrol.testing import ServerProcess, start_server
from tests.asking import ask_permission

pytestmark = [pytest.mark.process, pytest.mark.anyio, pytest.mark.timeout(120)]


async def asked(client: Client) -> str:
    """Wait until somebody asks, and return the question's id."""
    async for item in client:
        if not isinstance(item, Snapshot):
            id_: str = item.data["question"]["id"]  # type: ignore[union-attr]
            return id_
    raise AssertionError


async def test_one_asks_and_another_answers_over_a_restart(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with Client(server.url, events="question:asked", token=server.owner_secret) as client:
            await client.ready()
            asking = asyncio.create_task(
                client.ask("Deploy?", options=["yes", "no"], agent_id="scout", details={"to": "production"})
            )
            id_ = await asked(client)
            await asyncio.to_thread(server.restart)
            with pytest.raises(Refused, match="yes"):
                await client.answer(id_, "perhaps")
            given = await client.answer(id_, "yes", by="anna")
            question = await asking
            assert question == given
            assert (question.status, question.answer, question.answered_by) == ("answered", "yes", "anna")
            assert (question.agent_id, question.details) == ("scout", {"to": "production"})
            with pytest.raises(Refused):
                await client.answer(id_, "no")


async def test_one_that_nobody_answers_expires(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with Client(server.url) as client:
            question = await client.ask("Anybody?", expires_in=1, key="k")
            assert (question.status, question.reason, question.answer) == ("closed", "expired", None)
            assert (await client.ask("Anybody?", expires_in=1, key="k")).id == question.id


def test_a_script_asks_with_one_call_and_answers_with_another(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        found: list[Question] = []
        script = threading.Thread(
            target=lambda: found.append(ask(server.url, "What is it called?", key="once"))
        )
        script.start()
        answer(server.url, open_question(server), "Fox", token=server.owner_secret)
        script.join(30)
        assert found[0].answer == "Fox"


async def test_a_permission_is_answered_by_the_one_who_has_read_it(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        async with Client(server.url, token=server.owner_secret) as client:
            id_ = ask_permission(server, "Bash", {"command": "ls"})
            with pytest.raises(Refused, match="digest"):
                await client.answer(id_, "allow")
            question = await client.question(id_)
            assert question.review is not None
            assert [part.text for part in question.review.parts[:-1]] == [
                "Allow Bash?",
                "ls",
                "/home/anna/scout",
            ]
            assert (await client.answer(question, "allow")).answer == "allow"
        question = read_question(server.url, ask_permission(server, "Bash", {"command": "ls"}))
        given = answer(server.url, question.id, "deny", digest=question.digest, token=server.owner_secret)
        assert given.answer == "deny"


def open_question(server: ServerProcess) -> str:
    import msgspec

    while True:
        questions = msgspec.json.decode(call(server.url, "/api/questions?status=open"))["questions"]
        if questions:
            id_: str = questions[0]["id"]
            return id_
