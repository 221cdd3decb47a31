"""The commit pipeline: what happens to an event from the moment a client publishes it, step by step.

    validate → append → project → deliver → others

Invariants:

- what a client publishes passes `validate` whole or is refused whole, and only then reaches the log;
- after a commit the steps run in this order, on the event loop's thread, each with the same records: `project` folds
  them into the state, `deliver` hands them to the clients, and the others are woken up;
- a step that fails is logged, counted and named in `/health`, and the steps after it run all the same: what is durable
  is delivered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from missioncontrol.errors import Conflict
from missioncontrol.events import Draft, Record, now, rfc3339
from missioncontrol.server.service import StepHealth
from missioncontrol.store.log import Listener, Log

PROJECT = "project"
DELIVER = "deliver"

Validate = Callable[[Sequence[Draft]], None]

logger = logging.getLogger(__name__)


class Step:
    """One step after the commit, and how it is doing. `unwell` returns what is wrong though nothing was raised."""

    def __init__(self, name: str, run: Listener, unwell: Callable[[], str | None] | None = None) -> None:
        self.health = StepHealth(name)
        self._run = run
        self._unwell = unwell
        self._reported: str | None = None

    def run(self, records: Sequence[Record]) -> None:
        """Run the step; never raises."""
        health = self.health
        try:
            self._run(records)
            wrong = None if self._unwell is None else self._unwell()
        except Exception as error:
            self._failed(records, f"{type(error).__name__}: {error}"[:500], error)
        else:
            health.status = "ok"
            if wrong is not None and wrong != self._reported:
                self._reported = wrong
                self._failed(records, wrong, None)

    def _failed(self, records: Sequence[Record], reason: str, error: Exception | None) -> None:
        health = self.health
        health.status = "failed"
        health.failures += 1
        health.error = reason
        health.failed_at = rfc3339(now()).decode()
        logger.error(
            "pipeline.failed",
            exc_info=error,
            extra={"step": health.name, "first": records[0].id, "last": records[-1].id, "reason": reason},
        )


class Pipeline:
    """The steps of one server over one log."""

    def __init__(self, log: Log, validate: Validate) -> None:
        """Begin without steps after the commit; `validate` raises what a client is to be refused with."""
        self._log = log
        self._validate = validate
        self._steps: list[Step] = []
        self._asking: set[str] = set()
        log.listen(self.committed)

    def then(self, name: str, run: Listener, unwell: Callable[[], str | None] | None = None) -> None:
        """Add a step after the commit, to be run after those that were added before.

        Args:
            name: how `/health` calls it.
            run: takes the records of each commit.
            unwell: asked after each run, returns what is wrong though nothing was raised.
        """
        self._steps.append(Step(name, run, unwell))

    async def publish(self, drafts: Sequence[Draft], by: str | None = None) -> list[int]:
        """Publish what a client sends, all or nothing, and return the ids once it is durable.

        Args:
            drafts: the events; what they say themselves in `by` does not count.
            by: who publishes them; None for the source that each names.

        Raises:
            InputError: it is refused; the reason says what to change.
            Unavailable: the log cannot be written at the moment.
        """
        for draft in drafts:
            draft.by = by
        self._validate(drafts)
        asking = _asked_in(drafts)
        # Until the commit the state does not know of them.
        if taken := self._asking & asking:
            raise Conflict(
                f"A question {min(taken)[:100]!r} is being asked already; ask under an id of its own."
            )
        self._asking |= asking
        try:
            return await self._log.append(drafts)
        finally:
            self._asking -= asking

    def committed(self, records: Sequence[Record]) -> None:
        """Run the steps for the records of a commit; the listener of the log."""
        for step in self._steps:
            step.run(records)

    def health(self) -> list[StepHealth]:
        """Return how each step is doing, in their order."""
        return [step.health for step in self._steps]


def _asked_in(drafts: Sequence[Draft]) -> set[str]:
    """Return the ids of the questions that drafts ask."""
    questions = (draft.data.get("question") for draft in drafts if draft.type == "question:asked")
    return {str(one.get("id")) for one in questions if isinstance(one, dict)}
