"""What changes the price of an answer: fast mode, the region, the tier, and searches of the web.

The rules are those of https://platform.claude.com/docs/en/about-claude/pricing and, for fast mode, of
https://platform.claude.com/docs/en/build-with-claude/fast-mode.
"""

from __future__ import annotations

import re

WEB_SEARCH_DOLLARS = 0.01
"""What one search of the web costs."""
US_ONLY = 1.1
"""By what an answer is dearer that was made in the United States alone."""
BATCH = 0.5

_FAST = {"opus-4-6": 6.0, "opus-4-7": 6.0, "opus-4-8": 2.0, "opus-5": 2.0}
_FAMILY = re.compile(r"(?:opus|sonnet|haiku|fable|mythos)-\d+(?:[-.]\d{1,2}(?!\d))?")


def price_factor(model: str, speed: str | None, region: str | None, tier: str | None) -> float | None:
    """Return what the usual price is multiplied by; None where fast mode has no known price for the model.

    Args:
        model: the model's name.
        speed: `usage.speed`: `standard` or `fast`.
        region: `usage.inference_geo`: where the answer was made.
        tier: `usage.service_tier`.
    """
    factor = 1.0
    if speed == "fast":
        family = _FAMILY.search(model)
        fast = None if family is None else _FAST.get(family[0].replace(".", "-"))
        if fast is None:
            return None
        factor = fast
    if region == "us":
        factor *= US_ONLY
    if tier == "batch":
        factor *= BATCH
    return factor
