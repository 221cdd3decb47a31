"""Permission questions: what a runtime asks in the terminal is shown in the office, and can be answered there.

A question that is held has options, and a request that waits for the answer; one that is not held only shows what
waits in the terminal. Both are closed when they are decided in the terminal: the tool returns, the turn ends, or the
transcript continues. Questions are in the log and outlive this process: after a restart those that no request holds
are closed, since the runtime still asks in the terminal.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import msgspec

from missioncontrol.errors import MissionControlError, TooLarge
from missioncontrol.events import Data, now
from missioncontrol.fleet.questions import Questions
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.runtimes.hooks import Asked, Hook
from missioncontrol.runtimes.lines import milliseconds, shorten
from missioncontrol.runtimes.records import MAX_LABEL, Turn
from missioncontrol.runtimes.registry import hook_readers

logger = logging.getLogger(__name__)

ALLOW, DENY = "allow", "deny"
LOOK_SECONDS = 1.0
"""Seconds between two checks whether a transcript shows that a question has been decided."""

GRACE_SECONDS = 2.0
"""Seconds after which a session's other activity counts as a decision: hooks have priority."""

MAX_DENIED = 200
"""How many denials are remembered until it is known whether they came in time."""

_RETURNED = frozenset({"tool_asks", "tool_refused", "tool_ran"})
_ENDED = frozenset({"turn_ends", "session_ends"})


class Permissions:
    """The permission questions of this host's sessions."""

    def __init__(self, questions: Questions, tokens: UsageTracker, *, host: str | None = None) -> None:
        """Prepare.

        Args:
            questions: publishes the questions.
            tokens: knows the sessions.
            host: the name of this host in the fleet.
        """
        self._questions = questions
        self._tokens = tokens
        self._host = host
        self._own = secrets.token_hex(4)
        # The runtime whose request is held, by the question's id.
        self._held: dict[str, str] = {}
        # By session and call.
        self._denied: dict[tuple[str, str | None], Data] = {}

    def held(self, runtime: str) -> int:
        """Return how many requests of a runtime wait for an answer."""
        return sum(runtime == one for one in self._held.values())

    def open(self) -> list[Data]:
        """Return the open questions of hooks, oldest first."""
        evidence = {reader.evidence for reader in hook_readers().values()}
        return [
            one
            for one in self._questions.listed("open")
            if one["kind"] == "permission"
            and one.get("host") == self._host
            and _details(one).get("source") in evidence
        ]

    def settled(self, hook: Hook) -> list[str]:
        """Return the ids of the open questions that are decided according to a hook."""
        return [one["id"] for one in self.open() if _settles(hook, _details(one))]

    def standing(self, hook: Hook) -> Hook:
        """Return a hook with the status of its session: `waiting` while another of its questions is open."""
        asked = [
            one
            for one in self.open()
            if _details(one).get("session") == hook.session and not _settles(hook, _details(one))
        ]
        if hook.asked is not None or not asked:
            return hook
        detail = shorten(f"{_details(asked[-1]).get('tool')} {_details(asked[-1]).get('summary')}", MAX_LABEL)
        records = [
            msgspec.structs.replace(record, status="waiting", detail=detail)
            if isinstance(record, Turn) and record.status in ("busy", "waiting")
            else record
            for record in hook.records
        ]
        return hook._replace(records=records)

    async def close(self, ids: list[str], reason: str = "elsewhere") -> None:
        """Close questions. Errors are ignored: the question is closed already, or is tried again later."""
        for id_ in ids:
            with suppress(MissionControlError):
                await self._questions.close(id_, reason)

    async def ask(self, runtime: str, hook: Hook, asked: Asked, *, seconds: float) -> Data:
        """Publish the question of a hook, and return it.

        Args:
            runtime: the name of the hook's runtime.
            hook: the hook.
            asked: the request of the hook.
            seconds: how long it may be answered here; with 0 it is only shown.

        Raises:
            Unavailable: it cannot be stored.
            QuotaExceeded: too many are open.
        """
        try:
            return await self._ask(runtime, hook, asked, seconds)
        except TooLarge:
            # By the server's quota for a record, or the log's limit for an event.
            size = len(msgspec.json.encode(asked.details.get("input")))
            return await self._ask(runtime, hook, asked.without_input(size), seconds)

    async def _ask(self, runtime: str, hook: Hook, asked: Asked, seconds: float) -> Data:
        session = self._tokens.session(hook.session)
        held = seconds > 0 and asked.whole
        where = "here, or in the terminal" if held else "in the terminal"
        details: dict[str, Any] = {
            "source": hook_readers()[runtime].evidence,
            "session": hook.session,
            "parent": hook.parent,
            "call": hook.call,
            "note": f"It is answered {where}.",
            **asked.details,
        }
        if held:
            details["held"] = self._own
        question = await self._questions.ask(
            asked.text,
            agent_id=None if session is None else session.agent,
            options=[ALLOW, DENY] if held else [],
            kind="permission",
            details=details,
            expires_in=seconds if held else None,
        )
        if held:
            self._held[question["id"]] = runtime
        return question

    def deny(self, hook: Hook, question: Data) -> None:
        """Remember that what a hook asks was denied here."""
        self._denied[hook.session, hook.call] = question
        if len(self._denied) > MAX_DENIED:
            del self._denied[next(iter(self._denied))]

    async def check_denied(self, hook: Hook) -> None:
        """Raise an alert when a hook shows that a tool has run that was denied here.

        A runtime need not report that a permission was given in the terminal, and drops an answer that comes after it.
        """
        if hook.phase in _ENDED:
            self._denied = {key: kept for key, kept in self._denied.items() if key[0] != hook.session}
            return
        if hook.phase not in ("tool_begins", "tool_asks", "tool_ran"):
            return
        denied = self._denied.pop((hook.session, hook.call), None)
        if denied is not None and hook.phase == "tool_ran":
            what = str(denied["text"]).removeprefix("Allow ")
            message = (
                f"`deny` for {denied['id']} came too late: it had been allowed in the terminal, "
                f"and has run ({what})."
            )
            with suppress(MissionControlError):
                await self._questions.warn(denied["id"], message)

    async def wait(self, id_: str, seconds: float, gone: Awaitable[None]) -> Data:
        """Wait until a question is decided, its time is over, or the caller is gone; return its state then.

        Args:
            id_: the question's id.
            seconds: how long to wait at most.
            gone: ends when the caller no longer waits; the question is withdrawn then.
        """
        waiting = asyncio.ensure_future(self._questions.wait(id_, seconds))
        leaving = asyncio.ensure_future(gone)
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await self.close([id_], "withdrawn")
            elif waiting.result()["status"] == "open":
                await self.close([id_], "expired")
            return self._questions.find(id_)
        finally:
            self._held.pop(id_, None)
            for task in (waiting, leaving):
                task.cancel()
            await asyncio.gather(waiting, leaving, return_exceptions=True)

    async def run(self) -> None:
        """Close questions that were decided without a hook, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._tokens.keeps_book:
                await self.close(self._decided())

    def _decided(self) -> list[str]:
        """Return the open questions that no request holds any more, or whose session has continued since."""
        return [one["id"] for one in self.open() if self._is_decided(one)]

    def _is_decided(self, question: Data) -> bool:
        try:
            return self._left_over(question) or self._overtaken(question)
        except Exception:
            # A question may have any details: one that cannot be read stays open, and does not affect the others.
            logger.debug("permission.odd", extra={"question": question.get("id")}, exc_info=True)
            return False

    def _left_over(self, question: Data) -> bool:
        return bool(_details(question).get("held", self._own) != self._own)

    def _overtaken(self, question: Data) -> bool:
        session = self._tokens.session(str(_details(question).get("session")))
        if session is None or session.doing == "waiting":
            return False
        return bool(_since(question) < session.at < now() - GRACE_SECONDS * 1000)


def _since(question: Data) -> int:
    """Return when a question was asked, in milliseconds since 1970; 0 where that cannot be read."""
    return milliseconds(question["askedAt"])


def _details(question: Data) -> Data:
    details = question.get("details")
    return details if isinstance(details, dict) else {}


def _settles(hook: Hook, details: Data) -> bool:
    """Return whether a question is decided according to a hook."""
    if details.get("session") == hook.session:
        return hook.phase in _ENDED or (hook.phase in _RETURNED and details.get("call") == hook.call)
    return hook.phase == "session_ends" and details.get("parent") == hook.session
