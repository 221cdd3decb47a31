"""Questions to a person: who asks what, and what became of it.

Of several answers the first counts, on every node and in every client alike. All open questions are kept, and of
those that are over the newest of each kind.
"""

from __future__ import annotations

from missioncontrol.events import Data, Record
from missioncontrol.state.tables import Table, id_in, place_of, text_in, time_of

QUESTION_KINDS = ("question", "permission", "budget")

KEPT_PER_KIND = 100
"""How many questions of a kind are kept that are over; the log has them all."""


class Questions(Table):
    """The questions by id; `event` is the last event about each."""

    def __init__(self) -> None:
        super().__init__()
        self.folds = {
            "question:asked": self._asked,
            "question:answered": self._answered,
            "question:closed": self._closed,
        }

    def _asked(self, data: Data, record: Record) -> None:
        item = data.get("question")
        if not isinstance(item, dict) or (id_ := id_in(item, "id")) is None or not text_in(item, "text"):
            return
        kind, options = item.get("kind"), item.get("options")
        fields: Data = {
            "id": id_,
            "kind": kind if kind in QUESTION_KINDS else "question",
            "options": [one for one in options if isinstance(one, str)] if isinstance(options, list) else [],
            "agentId": id_in(item, "agentId"),
            "askedAt": text_in(item, "askedAt") or time_of(data, record),
            "status": "open",
            "event": record.id,
        }
        self.put(id_, {**place_of(id_, record), **item, **fields})

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
