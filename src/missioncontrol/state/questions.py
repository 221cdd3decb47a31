"""Questions to a person: who asks what, and what became of it.

Of several questions with one id the first counts, and of several answers to it, on every node and in every client
alike. All open questions are kept, and of those that are over the newest of each kind.
"""

from __future__ import annotations

from missioncontrol.events import Data, Record
from missioncontrol.state.limits import KEPT_PER_KIND, MAX_OPEN_QUESTIONS
from missioncontrol.state.tables import Table
from missioncontrol.state.values import id_in, list_in, place_of, text_in, time_of

QUESTION_KINDS = ("question", "permission", "budget")

_OVER = frozenset({"answer", "answeredBy", "answeredAt", "reason", "closedAt"})
"""What becomes of a question."""

_FIELDS = frozenset(
    {"id", "kind", "text", "options", "agentId", "taskId", "details", "askedAt", "expiresAt", "host"}
    | {"askedBy", "status", "event"}
    | _OVER
)
"""The fields of a question in the state. No client shows other fields, so they are not kept."""


class Questions(Table):
    """The questions by id; `event` is the last event about each."""

    def __init__(self) -> None:
        super().__init__(MAX_OPEN_QUESTIONS + KEPT_PER_KIND * (len(QUESTION_KINDS) + 1))
        self.folds = {
            "question:asked": self._asked,
            "question:answered": self._answered,
            "question:closed": self._closed,
        }

    def _asked(self, data: Data, record: Record) -> None:
        item = data.get("question")
        if not isinstance(item, dict) or (id_ := id_in(item, "id")) is None or not text_in(item, "text"):
            return
        # An id is asked once: what people were shown of a question never changes.
        if id_ in self.records or self.count_open() >= MAX_OPEN_QUESTIONS:
            return
        kind = item.get("kind")
        fields: Data = {
            "id": id_,
            "kind": kind if isinstance(kind, str) and kind in QUESTION_KINDS else "question",
            "text": item["text"],
            "options": [one for one in list_in(item, "options") if isinstance(one, str)],
            "agentId": id_in(item, "agentId"),
            "askedAt": text_in(item, "askedAt") or time_of(data, record),
            "status": "open",
            "event": record.id,
        }
        # Who has published it, which is not what the asker says of itself; logs of earlier releases do not know.
        if by := record.by:
            fields["askedBy"] = by
        if (task := id_in(item, "taskId")) is not None:
            fields["taskId"] = task
        if item.get("details") is not None:
            fields["details"] = item["details"]
        if (expires := text_in(item, "expiresAt")) is not None:
            fields["expiresAt"] = expires
        self.put(id_, {**place_of(id_, record), **fields})

    def count_open(self) -> int:
        """Return how many questions wait for an answer."""
        return sum(one["status"] == "open" for one in self.records.values())

    def restored(self, record: Data) -> Data:
        """Return a kept question with the fields that every question has."""
        kind, status, event = record.get("kind"), record.get("status"), record.get("event")
        return {
            **{name: value for name, value in record.items() if name in _FIELDS},
            "kind": kind if isinstance(kind, str) and kind in QUESTION_KINDS else "question",
            "status": status if status in ("open", "answered", "closed") else "closed",
            "event": event if isinstance(event, int) else 0,
        }

    def _answered(self, data: Data, record: Record) -> None:
        answer = text_in(data, "answer")
        if answer is not None:
            by, at = text_in(data, "answeredBy"), time_of(data, record)
            self._end(
                data, record, {"status": "answered", "answer": answer, "answeredBy": by, "answeredAt": at}
            )

    def _closed(self, data: Data, record: Record) -> None:
        reason = text_in(data, "reason") or "withdrawn"
        self._end(data, record, {"status": "closed", "reason": reason, "closedAt": time_of(data, record)})

    def _end(self, data: Data, record: Record, fields: Data) -> None:
        question = self.records.get(id_in(data, "questionId") or "")
        if question is None or question["status"] != "open":
            return
        self.put(question["id"], {**question, **fields, "event": record.id})
        over = [
            one
            for one in self.records.values()
            if one["kind"] == question["kind"] and one["status"] != "open"
        ]
        if len(over) > KEPT_PER_KIND:
            self.remove(min(over, key=lambda one: int(one["event"]))["id"])
