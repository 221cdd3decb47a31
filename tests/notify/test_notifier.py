"""The notifier over a real log in memory, and apprise against a real HTTP server."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from time import time
from typing import Any

import msgspec
import pytest
from tests.notify.receiver import SECRETS, Receiver
from tests.process.server_probe import eventually

from missioncontrol.config import NotifyConfig, NotifyRule
from missioncontrol.events import Draft, Event, Patterns, decode_event
from missioncontrol.notify import NOTIFICATIONS, Notifier, prepare
from missioncontrol.notify import delivery as delivery_module
from missioncontrol.notify import destination as destination_module
from missioncontrol.store import MemoryLog
from missioncontrol.store.log import Checkpoint

pytestmark = pytest.mark.anyio


class Office:
    """A log, and a notifier over it whose clock can be set."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.log = MemoryLog()
        self.ahead = 0.0
        self.notifier: Notifier | None = None

    async def open(self, *rules: NotifyRule, urls: list[str] | None = None) -> Notifier:
        """Start a notifier, as a server does; one that runs is stopped."""
        await self.close()
        config = NotifyConfig(urls=[self.receiver.url] if urls is None else urls, rules=list(rules))
        routes = await prepare(config)
        assert routes is not None
        self.notifier = Notifier(self.log, routes, lambda: time() + self.ahead)
        self.log.listen(self.notifier.committed)
        await self.notifier.start()
        # It has begun when it has read what it remembers.
        await self.until(lambda: bool(self.log._memory.get("notify")))
        return self.notifier

    async def close(self) -> None:
        if self.notifier is not None:
            await self.notifier.stop()

    async def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.ahead += seconds
        assert self.notifier is not None
        self.notifier.look()
        for wake in self.notifier._wake.values():
            wake.set()

    async def tell(self, type_: str, count: int = 1, **data: Any) -> None:
        await self.log.append([Draft(type_, dict(data)) for _ in range(count)])

    async def alert(self, message: str, level: str = "critical", **details: Any) -> None:
        await self.tell("system:alert", level=level, message=message, details=details)

    async def told(self, pattern: str = "notification:*") -> list[Event]:
        """What the notifier has noted in the log, oldest first."""
        page = await self.log.read(0, Patterns([pattern]), limit=100_000, max_bytes=10**9)
        return [decode_event(body) for body in page.bodies]

    async def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - any condition
                await asyncio.sleep(0.01)

    async def is_noted(self, type_: str, count: int = 1) -> list[Event]:
        """Wait until events of a type are in the log, and return them."""

        async def are_there() -> bool:
            return len(await self.told(type_)) >= count

        await eventually(are_there, 15.0)
        return await self.told(type_)


@pytest.fixture
async def office(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr(delivery_module, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(delivery_module, "LONGEST_PAUSE", 0.1)
    made = Office(receiver)
    yield made
    await made.close()


def rule(**settings: Any) -> NotifyRule:
    return NotifyRule(**{"name": "ops", "storm_seconds": 0.0, **settings})


async def test_an_alert_is_told_in_a_sentence_and_noted_in_the_log(office: Office) -> None:
    await office.open(rule())
    await office.alert("The disk is 96% full.")
    await office.receiver.has(1)
    message = office.receiver.messages[0]
    assert (message["title"], message["message"]) == ("Critical alert", "The disk is 96% full.")
    assert message["type"] == "failure"
    (sent,) = await office.is_noted("notification:sent")
    assert sent.source == "notify"
    assert sent.data["rule"] == "ops"
    assert sent.data["destination"] == f"json://robot:****@127.0.0.1:{office.receiver.port}/.../..."
    assert (sent.data["count"], sent.data["attempts"]) == (1, 1)
    assert (await office.log.read(sent.data["eventIds"][0] - 1, Patterns(["*"]), limit=1)).bodies


async def test_what_was_there_before_the_first_start_is_not_told(office: Office) -> None:
    await office.alert("long ago")
    await office.open(rule())
    await office.alert("now")
    await office.receiver.has(1)
    assert office.receiver.bodies == ["now"]


async def test_rules_choose_by_event_level_and_agent(office: Office) -> None:
    await office.open(
        rule(name="critical", events=["system"], min_level="critical", title="critical"),
        rule(name="notes", events=["system:alert"], levels=["info"], title="notes"),
        rule(name="scouts", events=["task:*"], agents=["scout*"], title="scouts"),
    )
    await office.alert("bad")
    await office.alert("not so bad", "warning")
    await office.alert("fyi", "info")
    await office.tell("task:completed", taskId="TASK-1", agentId="scout-2@alpha")
    await office.tell("task:completed", taskId="TASK-2", agentId="nova")
    await office.tell("task:completed", taskId="TASK-3")
    await office.receiver.has(3)
    await office.is_noted("notification:sent", 3)
    assert sorted((message["title"], message["message"]) for message in office.receiver.messages) == [
        ("critical", "bad"),
        ("notes", "fyi"),
        ("scouts", "TASK-1 is completed"),
    ]


async def test_a_question_is_told_with_how_to_answer_it(office: Office) -> None:
    await office.open(rule())
    question = {
        "id": "Q-7K3M9PXA",
        "text": "Deploy to production?",
        "options": ["yes", "no"],
        "agentId": "scout",
    }
    await office.tell("question:asked", question=question)
    await office.receiver.has(1)
    assert office.receiver.titles == ["scout asks"]
    assert office.receiver.bodies == [
        "Scout asks: Deploy to production? (yes / no)\nAnswer with: mission-control answer Q-7K3M9PXA"
    ]


async def test_a_permission_is_in_the_message_whole_with_marks_and_warnings(office: Office) -> None:
    await office.open(rule())
    given = {"command": "git clean\nrm \u202ex", "dangerouslyDisableSandbox": True}
    question = {
        "id": "Q-1",
        "kind": "permission",
        "text": "Allow Bash: git clean",
        "options": ["allow", "deny"],
        "agentId": "scout",
        "details": {"tool": "Bash", "summary": "git clean", "input": given},
    }
    await office.tell("question:asked", question=question)
    await office.receiver.has(1)
    assert office.receiver.bodies[0].splitlines() == [
        "Scout asks: Allow Bash? (deny / allow)",
        "! It runs outside the sandbox: dangerouslyDisableSandbox is true.",
        "! It has characters that cannot be seen, or that pile up; marks show where: ⟦U+202E⟧.",
        "Command, 2 lines:",
        "  git clean",
        "  rm ⟦U+202E⟧x",
        "Further input:",
        "  {",
        '    "dangerouslyDisableSandbox": true',
        "  }",
        "Answer with: mission-control answer Q-1",
    ]


async def test_a_question_that_is_too_long_for_a_message_says_where_to_see_it(office: Office) -> None:
    await office.open(rule())
    question: dict[str, Any] = {
        "id": "Q-1",
        "kind": "permission",
        "text": "Allow Bash: echo",
        "options": ["allow", "deny"],
        "agentId": "scout",
        "details": {"tool": "Bash", "summary": "echo", "input": {"command": "echo " + "x" * 2_000}},
    }
    await office.tell("question:asked", question=question)
    await office.receiver.has(1)
    assert "Answer with" not in office.receiver.bodies[0]
    assert "Open Mission Control to see all of it" in office.receiver.bodies[0]
    assert "xx" not in office.receiver.bodies[0]
    await office.tell("question:asked", question={**question, "id": "Q-2", "options": [], "details": {}})
    await office.receiver.has(2)
    assert office.receiver.bodies[1].splitlines()[1:] == [
        "It can only be answered in the terminal of the agent."
    ]


async def test_a_question_that_is_answered_before_it_is_told_is_not_told(office: Office) -> None:
    notifier = await office.open(rule(storm_seconds=60.0))
    await office.tell("question:asked", question={"id": "Q-1", "text": "One?"})
    await office.until(lambda: notifier.rules()[0].waiting == "1 question")
    await office.tell("question:answered", questionId="Q-1", answer="yes")
    await office.until(lambda: notifier.rules()[0].waiting is None)
    await office.tell("question:asked", question={"id": "Q-2", "text": "Two?"})
    await office.until(lambda: notifier.rules()[0].waiting == "1 question")
    await office.passes(61)
    await office.receiver.has(1)
    assert len(office.receiver.bodies) == 1
    assert "Two?" in office.receiver.bodies[0]


async def test_a_storm_of_a_thousand_alerts_is_one_message(office: Office) -> None:
    notifier = await office.open(rule(storm_seconds=10.0))
    for number in range(100):
        await office.tell("system:alert", 10, level="warning", message=f"The source {number % 20} failed.")
    await office.until(lambda: notifier.rules()[0].waiting == "1,000 warning alerts")
    assert office.receiver.tried == 0
    await office.passes(10.5)
    (sent,) = await office.is_noted("notification:sent")
    assert sent.data["count"] == 1000
    assert len(sent.data["eventIds"]) == 50
    assert office.receiver.titles == ["1,000 warning alerts"]
    lines = office.receiver.bodies[0].splitlines()
    assert lines[1] == "- Warning: The source 0 failed. (50 times)"
    assert lines[-1] == "- and 500 more"
    assert office.receiver.tried == 1


async def test_beyond_so_many_an_hour_the_rest_is_folded_and_said(office: Office) -> None:
    notifier = await office.open(rule(per_hour=2))
    for number in range(2):
        await office.alert(f"alert {number}")
        await office.receiver.has(number + 1)
    for number in range(2, 6):
        await office.alert(f"alert {number}")
    await office.until(lambda: notifier.rules()[0].waiting == "4 critical alerts")
    assert notifier.rules()[0].held == "limit"
    assert office.receiver.tried == 2
    await office.passes(3601)
    await office.receiver.has(3)
    assert office.receiver.titles[-1] == "4 critical alerts"
    assert "there are at most 2 messages an hour" in office.receiver.bodies[-1]


async def test_in_quiet_hours_everything_but_what_is_critical_is_held_until_their_end(office: Office) -> None:
    # Half past eleven at night, in a zone that has no summer time.
    office.ahead = 1_700_004_600 - time()
    notifier = await office.open(
        rule(quiet_hours="22:00-07:00", quiet_zone="UTC", quiet_except="critical", min_level="warning")
    )
    await office.alert("can wait", "warning")
    await office.alert("can wait too", "warning")
    await office.alert("cannot wait", "critical")
    await office.receiver.has(1)
    assert office.receiver.bodies == ["cannot wait"]
    status = notifier.rules()[0]
    assert (status.quiet_until, status.held, status.waiting) == (status.due, "quiet", "2 warning alerts")
    assert status.due == "2023-11-15T07:00:00.000Z"
    await office.passes(7.4 * 3600)
    await asyncio.sleep(0.3)
    assert office.receiver.tried == 1
    await office.passes(0.2 * 3600)
    await office.receiver.has(2)
    assert office.receiver.titles[-1] == "2 warning alerts"
    assert "held until the end of the quiet hours" in office.receiver.bodies[-1]


async def test_what_fails_is_tried_again_and_order_is_kept(office: Office) -> None:
    notifier = await office.open(rule())
    office.receiver.status = 500
    for number in range(4):
        await office.alert(f"alert {number}")
        await office.until(lambda number=number: notifier.destinations()[0].queued == number + 1)  # type: ignore[misc]
    await office.receiver.is_tried(3)
    status = notifier.destinations()[0]
    assert status.status == "failing"
    assert status.last_error is not None
    assert "error=500" in status.last_error
    office.receiver.status = 200
    await office.receiver.has(4)
    assert office.receiver.bodies == [f"alert {number}" for number in range(4)]
    notes = await office.is_noted("notification:sent", 4)
    assert notes[0].data["attempts"] > 3
    assert [note.data["attempts"] for note in notes[1:]] == [1, 1, 1]
    assert notifier.destinations()[0].status == "working"
    assert not await office.told("notification:failed")


async def test_what_fails_for_good_is_shown_and_alarms_once_until_it_works_again(office: Office) -> None:
    notifier = await office.open(rule())
    await office.receiver.stop()
    for number in range(3):
        await office.alert(f"alert {number}")
        await office.is_noted("notification:failed", number + 1)
    failed = await office.told("notification:failed")
    assert [note.data["attempts"] for note in failed] == [10, 10, 10]
    assert "onnection" in failed[0].data["error"]
    assert notifier.figures.failed == 3
    await office.receiver.start()
    await office.alert("after")
    await office.receiver.has(1)
    await office.is_noted("notification:sent")
    own = [event for event in await office.told("system:alert") if event.source == "notify"]
    assert [(event.data["level"], "again" in event.data["message"]) for event in own] == [
        ("warning", False),
        ("info", True),
    ]
    # And none of what it says of itself is told.
    await asyncio.sleep(0.3)
    assert office.receiver.bodies == ["after"]


async def test_however_long_a_destination_is_away_few_messages_wait_and_none_is_missing(
    office: Office,
) -> None:
    notifier = await office.open(rule(per_hour=1000))
    office.receiver.status = 503
    most = 0
    for number in range(40):
        await office.alert(f"alert {number}")
        await office.until(lambda number=number: notifier.rules()[0].last_hour == number + 1)  # type: ignore[misc]
        most = max(most, notifier.destinations()[0].queued)
    office.receiver.status = 200

    async def all_are_noted() -> bool:
        return bool(sum(note.data.get("count", 0) for note in await office.told()) == 40)

    await eventually(all_are_noted, 20.0)
    assert most <= 10
    assert len(office.receiver.messages) <= 10
    assert "earlier messages could not be sent" in office.receiver.bodies[-1]


async def test_a_receiver_that_hangs_holds_up_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination_module, "SEND_SECONDS", 0.3)
    async with Receiver() as other:
        office.receiver.hangs = True
        notifier = await office.open(rule(), urls=[office.receiver.url, other.url])
        for number in range(3):
            await office.alert(f"alert {number}")
            await other.has(number + 1)
        await office.receiver.is_tried(1)
        await office.until(lambda: notifier.destinations()[0].status == "failing")
        first = notifier.destinations()[0]
        assert first.last_error is not None
        assert "no answer within" in first.last_error or "have not come back" in first.last_error
        assert notifier.destinations()[1].status == "working"


async def test_after_a_restart_it_goes_on_where_it_was(office: Office) -> None:
    await office.open(rule(storm_seconds=5.0))
    await office.alert("before the restart")
    assert office.notifier is not None
    await office.until(lambda: office.notifier.rules()[0].waiting is not None)  # type: ignore[union-attr]
    await office.close()
    await office.alert("while it was down")
    await office.open(rule(storm_seconds=5.0))
    await office.passes(6)
    await office.receiver.has(1)
    assert "before the restart" in office.receiver.bodies[0]
    assert "while it was down" in office.receiver.bodies[0]
    await office.is_noted("notification:sent")
    await office.open(rule(storm_seconds=5.0))
    await office.passes(60)
    await asyncio.sleep(0.3)
    assert office.receiver.tried == 1


async def test_what_is_older_than_an_hour_is_one_line(office: Office) -> None:
    await office.open(rule())
    await office.close()
    for number in range(12):
        await office.alert(f"old {number}", "warning")
    office.ahead = 2 * 3600
    await office.open(rule())
    await office.receiver.has(1)
    assert office.receiver.titles == ["12 warning alerts"]
    (line,) = office.receiver.bodies[0].splitlines()
    assert line.startswith("While Mission Control was away, until ")
    assert line.endswith(": 12 warning alerts.")


async def test_a_destination_that_is_gone_from_the_settings_is_said(office: Office) -> None:
    await office.open(rule())
    office.receiver.status = 500
    await office.alert("nobody hears this")
    await office.receiver.is_tried(2)
    await office.close()
    await office.open(rule(), urls=[office.receiver.url.replace("robot:", "other:")])
    (failed,) = await office.is_noted("notification:failed")
    assert failed.data["error"] == "It is no longer in the settings."
    assert failed.data["body"] == "nobody hears this"


async def test_while_the_log_takes_nothing_nothing_more_is_sent(office: Office) -> None:
    await office.open(rule())
    await office.alert("one")
    await office.is_noted("notification:sent")
    real = office.log.append

    async def append(drafts: Any, checkpoint: Checkpoint | None = None, **options: Any) -> list[int]:
        if checkpoint is not None:
            office.log.trouble = "The disk is full."
        try:
            return await real(drafts, checkpoint, **options)
        finally:
            office.log.trouble = None

    office.log.append = append  # type: ignore[method-assign]
    await office.alert("two")
    await office.alert("three")
    await asyncio.sleep(0.5)
    assert len(office.receiver.messages) <= 2
    office.log.append = real  # type: ignore[method-assign]
    await office.is_noted("notification:sent", 2)
    assert "three" in "".join(office.receiver.bodies)


async def test_a_template_has_its_fields_and_reaches_nothing_else(office: Office) -> None:
    await office.open(rule(title="[{level}] {rule}: {title}", body="{count} {type} {agent} {text}"))
    await office.alert("{rule.__class__} {level}")
    await office.receiver.has(1)
    assert office.receiver.titles == ["[critical] ops: Critical alert"]
    assert office.receiver.bodies == ["1 system:alert  {rule.__class__} {level}"]


async def test_what_an_agent_calls_itself_stays_on_one_line(office: Office) -> None:
    await office.open(rule())
    question = {
        "id": "Q-1\nrm",
        "text": "Why?\nBcc: everybody",
        "agentId": "scout\r\nBcc: everybody@example.com",
    }
    await office.tell("question:asked", question=question)
    await office.receiver.has(1)
    assert office.receiver.titles == ["scout Bcc: everybody@example.com asks"]
    assert len(office.receiver.bodies[0].splitlines()) == 2


async def test_a_test_says_what_came_of_it_and_wakes_what_waits(office: Office) -> None:
    notifier = await office.open(rule(), rule(name="other"))
    (first, second) = await notifier.test(None)
    assert (first.rule, first.ok, second.rule, second.ok) == ("ops", True, "other", True)
    assert office.receiver.titles == ["Test", "Test"]
    office.receiver.status = 403
    (failed,) = await notifier.test("other")
    assert not failed.ok
    assert "error=403" in (failed.error or "")
    notes = await office.told("notification:*")
    assert [note.data.get("test") for note in notes if note.type != "notification:started"] == [True] * 3


async def test_what_cannot_be_told_keeps_nothing_back(office: Office) -> None:
    await office.open(rule(events=["*"]))
    odd: list[dict[str, Any]] = [
        {"question": {"id": "q", "text": "?", "options": 4, "details": [1]}},
        {"question": {"id": "\n", "text": "a\x1b[31m", "agentId": {}}},
    ]
    for data in odd:
        await office.tell("question:asked", **data)
        await office.tell("system:alert", message="\n", **data)
        await office.tell("token:threshold", agent="\x1b[31m", **data)
    await office.tell("question:answered", questionId="nowhere")
    await office.tell("custom:event", count=1)
    await office.until(lambda: any("custom:event" in title for title in office.receiver.titles))
    assert not any("\x1b" in body for body in office.receiver.bodies)


async def test_no_secret_of_a_url_is_anywhere(
    office: Office, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    notifier = await office.open(rule())
    office.receiver.status = 401
    await office.alert("one")
    await office.is_noted("notification:failed")
    await notifier.test(None)
    await office.receiver.stop()
    await office.alert("two")
    await office.is_noted("notification:failed", 3)
    everything = b"".join(record.body for record in office.log._records)
    shown = msgspec.json.encode([notifier.rules(), notifier.destinations(), office.log._memory["notify"]])
    output = capfd.readouterr()
    for secret in SECRETS:
        assert secret.encode() not in everything
        assert secret.encode() not in shown
        assert secret not in output.out + output.err
        assert not any(secret in record.getMessage() for record in caplog.records)


async def test_nobody_listens_at_all(office: Office) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    notifier = await office.open(rule(), urls=[f"json://127.0.0.1:{port}"])
    (result,) = await notifier.test(None)
    assert not result.ok
    assert NOTIFICATIONS.matches("notification:failed")
