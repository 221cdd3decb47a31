"""The digest of a question: what an answer carries, so that a person approves only what was shown."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from missioncontrol.events import Data

ASKED = ("id", "kind", "text", "options", "agentId", "taskId", "details")
"""What is asked, by whom, and about what."""

COVERED = (*ASKED, "askedBy", "askedAt", "expiresAt", "host")
"""The fields of a question that are shown to the person who decides it; none of them ever changes.

The state keeps no others but `status` and `event`, and what becomes of the question.
"""

_encode = msgspec.json.Encoder(order="sorted").encode


def digest_of(question: Data) -> str:
    """Return the digest of a question as the state has it: 64 hexadecimal digits.

    It is the SHA-256 of what is shown as JSON with sorted keys, without blanks, in UTF-8; a field that is missing is
    null.
    """
    return sha256(_fields(question, COVERED)).hexdigest()


def asks_the_same(one: Data, other: Data) -> bool:
    """Return whether two questions ask the same, whenever they were asked."""
    return _fields(one, ASKED) == _fields(other, ASKED)


def _fields(question: Data, names: tuple[str, ...]) -> bytes:
    return _encode({name: question.get(name) for name in names})
