"""The leads as their files tell of them: pure functions from bytes to records.

`leads.json` is a list, or an object with `leads`; `scored-leads-v2.json` has `scoredLeads`; each may have any form.
A lead's record has all fields that its files give it, and `id` and `score` under these names, wherever they stood.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from missioncontrol.events import Data
from missioncontrol.state import deeper_than

MAX_LEAD_BYTES = 48 * 1024
MAX_DEPTH = 50

_LISTS = ("leads", "scoredLeads", "scored_leads", "items", "data")
_IDS = ("id", "leadId", "lead_id")
_SCORES = ("score", "totalScore", "total_score")
_OF_A_SCORE = frozenset(
    {
        "score",
        "totalScore",
        "total_score",
        "breakdown",
        "factors",
        "scoredAt",
        "priorityTier",
        "actionRequired",
    }
)
"""The fields that change when a lead is scored anew."""


class LeadList(NamedTuple):
    """The leads of a file by id, in its order, and what in it is none."""

    leads: dict[str, Data]
    odd: list[str]


def read_leads(data: bytes) -> LeadList:
    """Read a file of leads.

    Raises:
        ValueError: it is none; the message says what is wrong, in a few words.
    """
    text = data.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise ValueError("it is empty")
    try:
        tree = msgspec.json.decode(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if isinstance(tree, dict):
        tree = next((tree[name] for name in _LISTS if isinstance(tree.get(name), list)), None)
    if not isinstance(tree, list):
        raise ValueError("it has no list of leads")
    leads: dict[str, Data] = {}
    odd: list[str] = []
    for index, item in enumerate(tree, 1):
        if not isinstance(item, dict):
            odd.append(f"entry {index} is no object")
        elif (id_ := _id_of(item)) is None:
            odd.append(f"entry {index} has no id")
        elif id_ in leads:
            odd.append(f"{id_} stands there twice")
        elif deeper_than(item, MAX_DEPTH) or len(msgspec.json.encode(item)) > MAX_LEAD_BYTES:
            odd.append(f"{id_} is larger than {MAX_LEAD_BYTES // 1024} KiB")
        else:
            leads[id_] = _normalised(item, id_)
    return LeadList(leads, odd)


def laid_over(plain: Mapping[str, Data], scored: Mapping[str, Data]) -> dict[str, Data]:
    """Put what both files say of a lead together: the score is the scored file's, all else the plain one's first."""
    leads = dict(plain)
    for id_, scoring in scored.items():
        known = leads.get(id_)
        if known is None:
            leads[id_] = scoring
        else:
            scores = {name: value for name, value in scoring.items() if name in _OF_A_SCORE}
            leads[id_] = {**scoring, **known, **scores}
    return leads


def changed(old: Data, new: Data) -> tuple[str, Data] | None:
    """Say with the one event that fits how a lead changed; None where it did not."""
    updates = {name: value for name, value in new.items() if name not in old or old[name] != value}
    removed = sorted(old.keys() - new.keys())
    if not updates and not removed:
        return None
    data: Data = {"leadId": new["id"], "updates": updates}
    score = new.get("score")
    if "score" in updates and score is not None and not removed and updates.keys() <= _OF_A_SCORE:
        factors = next((new[name] for name in ("breakdown", "factors") if new.get(name) is not None), None)
        data["score"] = score
        if factors is not None:
            data["factors"] = factors
        if isinstance(old.get("score"), (int, float)):
            data["previousScore"] = old["score"]
        return "lead:scored", data
    return "lead:updated", {**data, **({"removed": removed} if removed else {})}


def _normalised(item: Data, id_: str) -> Data:
    lead = {**item, "id": id_}
    score = next((item[name] for name in _SCORES if _is_number(item.get(name))), None)
    if score is not None:
        lead["score"] = score
    return lead


def _id_of(item: Data) -> str | None:
    for name in _IDS:
        value = item.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
