"""What a person is shown of a question before deciding it: one model for every place where questions are answered.

The server makes a `Review` of a question, and the dashboard, `mission-control answer` and notifications render it. An
answer carries the digest of the review, so that what is approved is what was shown.
"""

from missioncontrol.review.digest import asks_the_same, digest_of
from missioncontrol.review.marks import in_order, mark
from missioncontrol.review.parts import Part, PartKind
from missioncontrol.review.review import ASKED_AS, TERMINAL, Option, Review, permission_text, review

__all__ = [
    "ASKED_AS",
    "TERMINAL",
    "Option",
    "Part",
    "PartKind",
    "Review",
    "asks_the_same",
    "digest_of",
    "in_order",
    "mark",
    "permission_text",
    "review",
]
