"""Questions to a person: ask, answer, and wait for the answer.

A question is an event, so it outlives the caller and the server. The fold decides which answer counts; this module
checks whether that is the one that was just given.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

from missioncontrol.errors import BadQuestion, Conflict, NotFound, NotShown, Unavailable
from missioncontrol.events import Data, now, rfc3339
from missioncontrol.events.asking import CLIENT_KIND, MAX_OPTION, wrong_options
from missioncontrol.events.author import author
from missioncontrol.events.hosts import find_id
from missioncontrol.fleet.source import Feed, Workspace
from missioncontrol.review import TERMINAL, asks_the_same, digest_of, review
from missioncontrol.state import QUESTION_KINDS

MAX_TEXT = 4_000
MAX_ANSWER = 20_000
MAX_NAME = 100
MAX_EXPIRY_SECONDS = 30 * 86_400.0
REASONS = ("withdrawn", "expired", "elsewhere")

RETRY_SECONDS = 1.0
"""Seconds after which closing an expired question is tried again."""

logger = logging.getLogger(__name__)

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, without letters that are easily confused."""


def question(
    text: str,
    *,
    key: str | None = None,
    kind: str = CLIENT_KIND,
    agent_id: str | None = None,
    options: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
    task_id: str | None = None,
    expires_at: int | None = None,
) -> Data:
    """Return the `question` of a `question:asked`.

    Args:
        text: the text of the question.
        key: the same key gives the same id, so that asking again does not make another question.
        kind: one of `QUESTION_KINDS`.
        agent_id: the agent that asks.
        options: the possible answers; none if any text is allowed.
        details: more information for the person who answers.
        task_id: the task that it is about.
        expires_at: when an answer is no longer needed, in milliseconds since 1970.
    """
    asked: Data = {
        "id": _id(key),
        "kind": kind,
        "text": text,
        "options": list(options),
        "agentId": agent_id,
        "askedAt": rfc3339(now()).decode(),
    }
    if task_id is not None:
        asked["taskId"] = task_id
    if details:
        asked["details"] = dict(details)
    if expires_at is not None:
        asked["expiresAt"] = rfc3339(expires_at).decode()
    return asked


class Questions:
    """Asks, answers and closes the questions of the fleet."""

    name = "questions"

    def __init__(self, workspace: Workspace) -> None:
        self._host = workspace.host
        self._fleet = workspace.fleet
        self._questions = workspace.fleet.table("questions")
        self._feed: Feed | None = None
        self._changed = asyncio.Event()
        self._once = secrets.token_hex(8)

    def attach(self, feed: Feed) -> None:
        """Publish through this feed, and follow the answers of other nodes; only `run` lets questions expire."""
        self._feed = feed
        feed.follow("question", self._notify_waiting)

    async def run(self, feed: Feed) -> None:
        """Close expired questions, until cancelled."""
        self.attach(feed)
        feed.running()
        while True:
            delay = None
            for id_ in self._expired():
                try:
                    await self.close(id_, "expired")
                except (NotFound, Conflict):
                    # It has been answered or closed meanwhile.
                    continue
                except Exception:
                    # The others are closed regardless; this one is tried again.
                    logger.exception("question.not_closed", extra={"question": id_})
                    delay = RETRY_SECONDS
            patience = self._patience()
            await feed.inbox.take(patience if delay is None else max(delay, patience or 0.0))

    def release(self) -> None:
        """End all waiting calls: the server is about to stop."""
        self._feed = None
        self._changed.set()

    def find(self, id_: str) -> Data:
        """Return a question.

        Raises:
            NotFound: no question has this id.
        """
        found = self._questions.get(id_) or self._questions.get(id_.upper())
        if found is None:
            raise NotFound(f"There is no question {id_[:MAX_NAME]!r}; /api/questions lists those there are.")
        return found

    def listed(self, status: str | None = None) -> list[Data]:
        """Return the questions of a status, or all: the open ones first, each group by when it was asked.

        Raises:
            BadQuestion: there is no such status.
        """
        if status not in (None, "open", "answered", "closed"):
            raise BadQuestion(f"status {status[:40]!r} is none of open, answered and closed.")
        found = [one for one in self._questions.values() if status in (None, one["status"])]
        return sorted(found, key=lambda one: (one["status"] != "open", one["askedAt"], one["event"]))

    def is_of_client(self, id_: str) -> bool:
        """Return whether a question is of the kind that clients ask, not a permission or a budget.

        Raises:
            NotFound: no question has this id.
        """
        return bool(self.find(id_)["kind"] == CLIENT_KIND)

    async def ask(
        self,
        text: str,
        *,
        agent_id: str | None = None,
        options: Sequence[str] = (),
        kind: str = CLIENT_KIND,
        details: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        expires_in: float | None = None,
        key: str | None = None,
    ) -> Data:
        """Ask a person; return the question once it is durable.

        Args:
            text: the text of the question, at most 4,000 characters.
            agent_id: the agent that asks.
            options: the possible answers, at most 20; none if any text is allowed.
            kind: `question`; `permission` and `budget` are for parts of the server alone.
            details: more information for the person who answers.
            task_id: the task that it is about.
            expires_in: seconds after which an answer is no longer needed.
            key: identifies the question; asking again under the same key returns the same question.

        Raises:
            BadQuestion: an argument is not valid.
            Conflict: several hosts have an agent of this name, or the key belongs to another question.
            QuotaExceeded: too many questions are open.
            Unavailable: the log cannot be written.
        """
        _check(text, agent_id, options, kind, task_id, expires_in, key)
        asked = question(
            text.strip(),
            key=key,
            kind=kind,
            agent_id=self._full("agents", agent_id),
            options=options,
            details=details,
            task_id=self._full("tasks", task_id),
            expires_at=None if expires_in is None else now() + round(expires_in * 1000),
        )
        if (known := self._questions.get(asked["id"])) is not None:
            return _same(known, asked)
        # Of two calls with one key at the same time the log keeps one. Other publishers cannot know the idempotency
        # key: an event of theirs under it would keep the question out of the log.
        await self._publish("question:asked", {"question": asked}, key and f"question:{self._once}:{key}")
        return _same(self._questions.get(asked["id"], asked), asked)

    async def answer(
        self, id_: str, answer: str, *, by: str | None = None, digest: str | None = None
    ) -> Data:
        """Answer a question; return it once the answer is durable.

        Args:
            id_: the question's id.
            answer: one of its options, or any text if it has none.
            by: the person who answers.
            digest: the digest of the question as it was shown to that person; a permission needs it.

        Raises:
            BadQuestion: the answer is empty, or none of the question's options.
            NotFound: there is no such question.
            NotShown: the digest is not that of the question, or missing for a permission.
            Conflict: it is no longer open, or cannot be shown whole, or is a permission that only the terminal gives.
            Unavailable: the log cannot be written.
        """
        # The review is made in a thread and cached; the question may have changed or ended afterwards.
        await asyncio.to_thread(review, self._open(id_))
        asked = self._open(id_)
        _check_shown(asked, digest)
        said = _chosen(answer, asked["options"])
        if by is not None and not 0 < len(by) <= MAX_NAME:
            raise BadQuestion(f"answeredBy must be a text of 1 to {MAX_NAME} characters.")
        data = {"questionId": asked["id"], "answer": said, "answeredBy": by}
        return await self._end("question:answered", data)

    async def close(self, id_: str, reason: str = "withdrawn") -> Data:
        """Close a question that no longer needs an answer; return it once that is durable.

        Raises:
            BadQuestion: there is no such reason.
            NotFound: there is no such question.
            Conflict: it is no longer open.
            Unavailable: the log cannot be written.
        """
        if reason not in REASONS:
            raise BadQuestion(f"reason {reason[:40]!r} is none of {', '.join(REASONS)}.")
        return await self._end("question:closed", {"questionId": self._open(id_)["id"], "reason": reason})

    async def wait(self, id_: str, seconds: float) -> Data:
        """Wait at most `seconds` until a question is no longer open; return its state then.

        Raises:
            NotFound: there is no such question.
        """
        asked = self.find(id_)
        try:
            async with asyncio.timeout(seconds):
                while asked["status"] == "open" and self._feed is not None:
                    await self._changed.wait()
                    asked = self.find(id_)
        except TimeoutError:
            pass
        return asked

    async def warn(self, id_: str, message: str) -> None:
        """Publish an alert about a question that has ended.

        Raises:
            Unavailable: the log cannot be written.
        """
        if self._feed is None:
            raise Unavailable("The server is about to stop; try again in a moment.")
        draft = self._feed.alert("warning", message, questionId=id_)
        draft.by = author()
        await self._feed.append([draft])

    def _open(self, id_: str) -> Data:
        asked = self.find(id_)
        if asked["status"] != "open":
            raise Conflict(over(asked))
        return asked

    async def _end(self, type_: str, data: Data) -> Data:
        published = await self._publish(type_, data)
        ended = self.find(data["questionId"])
        if ended["event"] != published:
            raise Conflict(over(ended))
        return ended

    async def _publish(self, type_: str, data: Data, key: str | None = None) -> int:
        feed = self._feed
        if feed is None:
            raise Unavailable("The server is about to stop; try again in a moment.")
        draft = feed.draft(type_, data)
        draft.key = key or draft.key
        draft.by = author()
        return (await feed.append([draft]))[0]

    def _full(self, table: str, id_: str | None) -> str | None:
        known = self._fleet.table("agents" if table == "agents" else "tasks").keys()
        return id_ if id_ is None else find_id(id_, known, self._host) or id_

    def _notify_waiting(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if self._feed is not None:
            self._feed.inbox.put()

    def _own(self) -> list[tuple[int, str]]:
        """Return the times at which this host's open questions expire, with their ids."""
        return [
            (at, one["id"])
            for one in self._questions.values()
            if one["status"] == "open" and one.get("host") == self._host
            if (at := _milliseconds(one.get("expiresAt"))) is not None
        ]

    def _expired(self) -> list[str]:
        time = now()
        return [id_ for at, id_ in self._own() if at <= time]

    def _patience(self) -> float | None:
        due = min((at for at, _ in self._own()), default=None)
        return None if due is None else max(0.0, (due - now()) / 1000)


def over(asked: Data) -> str:
    """Return a sentence about the end of a question that is no longer open."""
    if asked["status"] == "answered":
        by = f" by {asked['answeredBy']}" if asked.get("answeredBy") else ""
        return f"The question {asked['id']} was answered{by} already: {str(asked['answer'])[:MAX_OPTION]!r}."
    return f"The question {asked['id']} is closed already ({asked.get('reason')})."


def _same(known: Data, asked: Data) -> Data:
    """Return the existing question with an id, if it is the same question."""
    if not asks_the_same(known, asked):
        raise Conflict(
            f"Under this key another question was asked already ({known['id']}): a question does not change. "
            f"Withdraw that one if it is of no use any more, and ask under another key."
        )
    return known


def _check_shown(asked: Data, digest: str | None) -> None:
    id_ = asked["id"]
    if asked["kind"] == "permission" and not asked["options"]:
        raise Conflict(f"The permission {id_} is not given here. {TERMINAL}")
    if not review(asked).complete:
        raise Conflict(f"The {asked['kind']} {id_} cannot be shown whole. {TERMINAL}")
    if digest is None and asked["kind"] == "permission":
        raise NotShown(
            f"An answer to the permission {id_} has to say what was approved: read it with GET /api/questions/{id_}, "
            f"show all parts of its `review`, and send the `digest` of that along with the answer."
        )
    if digest is not None and digest != digest_of(asked):
        raise NotShown(
            f"The question {id_} is not the one that was shown: its digest is another one. "
            f"Read it again with GET /api/questions/{id_}, and decide on what it says now."
        )


def _chosen(answer: str, options: Sequence[str]) -> str:
    said = answer.strip()
    if not 0 < len(said) <= MAX_ANSWER:
        raise BadQuestion(f"An answer has 1 to {MAX_ANSWER:,} characters.")
    if not options:
        return said
    if answer in options:
        return answer
    # A log of an earlier release may have two options that differ only in case.
    for option in options:
        if option.strip().casefold() == said.casefold():
            return option
    raise BadQuestion(f"{said[:MAX_OPTION]!r} is none of the answers there are: {', '.join(options)}.")


def _check(
    text: str,
    agent_id: str | None,
    options: Sequence[str],
    kind: str,
    task_id: str | None,
    expires_in: float | None,
    key: str | None,
) -> None:
    if not 0 < len(text.strip()) <= MAX_TEXT:
        raise BadQuestion(f"text must be a text of 1 to {MAX_TEXT:,} characters.")
    if kind not in QUESTION_KINDS:
        raise BadQuestion(f"kind {kind[:40]!r} is none of {', '.join(QUESTION_KINDS)}.")
    if (wrong := wrong_options(options)) is not None:
        raise BadQuestion(wrong)
    for name, value in (("agentId", agent_id), ("taskId", task_id), ("key", key)):
        if value is not None and not 0 < len(value) <= MAX_NAME:
            raise BadQuestion(f"{name} must be a text of 1 to {MAX_NAME} characters, or left out.")
    if expires_in is not None and not 1 <= expires_in <= MAX_EXPIRY_SECONDS:
        raise BadQuestion(f"expiresIn is in seconds, from 1 to {MAX_EXPIRY_SECONDS:,.0f}.")


def id_of_key(key: str) -> str:
    """Return the id of the question with a key; only the caller that asked knows the key."""
    return _id(key)


def _id(key: str | None) -> str:
    digest = secrets.token_bytes(8) if key is None else blake2b(key.encode(), digest_size=8).digest()
    bits = int.from_bytes(digest, "big")
    return "Q-" + "".join(_LETTERS[bits >> shift & 31] for shift in range(0, 40, 5))


def _milliseconds(time: Any) -> int | None:
    try:
        return round(datetime.fromisoformat(time).timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        return None
