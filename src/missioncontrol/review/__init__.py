"""What a person is shown of a question before deciding it: one model for every place where questions are answered.

The server makes a `Review` of a question, and the dashboard, `mission-control answer` and notifications render it. An
answer carries the digest of the review, so that what is approved is what was shown.
"""

from missioncontrol.review.digest import digest_of
from missioncontrol.review.marks import mark
from missioncontrol.review.parts import Part, PartKind
from missioncontrol.review.review import TERMINAL, Option, Review, permission_text, review

__all__ = [
    "TERMINAL",
    "Option",
    "Part",
    "PartKind",
    "Review",
    "digest_of",
    "mark",
    "permission_text",
    "review",
]
