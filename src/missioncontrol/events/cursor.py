"""A cursor: a position in the log that a client keeps, written EPOCH:ID."""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

from missioncontrol.errors import BadCursor, NotFound

_FORM = re.compile(r"([A-Za-z0-9]{1,32}):(0|[1-9][0-9]{0,18})", re.ASCII)
_MAX_ID = 2**63 - 1


class Cursor(NamedTuple):
    """Everything up to and including `id`, of the log whose life is called `epoch`, has been seen."""

    epoch: str
    id: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read EPOCH:ID.

        Raises:
            BadCursor: the text has another form.
        """
        found = _FORM.fullmatch(text)
        if found is None or int(found[2]) > _MAX_ID:
            raise BadCursor(
                "A cursor has the form EPOCH:ID, as in 'k3v9x2ab:4711'; take it from a message of this server."
            )
        return cls(found[1], int(found[2]))

    def id_in(self, epoch: str) -> int:
        """Return the id, where it is one of this life of the log; in another it is the place of another event.

        Raises:
            NotFound: the cursor is of another life.
        """
        if self.epoch != epoch:
            raise NotFound("The cursor is of another life of this log; what it meant is gone.")
        return self.id


def new_epoch() -> str:
    """Make the name of a new life of a log: ten characters, unguessable enough never to repeat."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "".join(secrets.choice(alphabet) for _ in range(10))
