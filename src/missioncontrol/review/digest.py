"""The digest of a question: what an answer carries, so that a person approves only what was shown."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from missioncontrol.events import Data

_SHOWN = ("id", "kind", "text", "options", "agentId", "taskId", "details")
"""The fields of a question that are shown to the person who decides it; none of them ever changes."""

_encode = msgspec.json.Encoder(order="sorted").encode


def digest_of(question: Data) -> str:
    """Return the digest of a question as the state has it: 64 hexadecimal digits.

    It is the SHA-256 of what is shown as JSON with sorted keys, without blanks, in UTF-8; a field that is missing is
    null.
    """
    return sha256(_encode({name: question.get(name) for name in _SHOWN})).hexdigest()
