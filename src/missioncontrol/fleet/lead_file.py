"""The records of leads from their files: pure functions from bytes to records.

`leads.json` is a list, or an object with `leads`; `scored-leads-v2.json` has `scoredLeads`; each may have any form.
A lead's record has all fields of its files, and `id` and `score` under these names, whatever the files call them.

The two files number their leads independently, so two entries with the same id are one lead only if the company is
the same too, or the name if one of them has no company. The same holds within a file: of two leads with one id the
second gets its company in its id, and a lead without an id gets one from its company and name.

Ids are texts, as the catalogue requires. Other values in the file are kept under `asInFile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from missioncontrol.events import MAX_ID_LENGTH, Data
from missioncontrol.events.decoding import decode_json
from missioncontrol.json_text.blocks import Block
from missioncontrol.json_text.file import JsonFile
from missioncontrol.state import deeper_than

MAX_LEAD_BYTES = 48 * 1024
MAX_DEPTH = 50

_LISTS = ("leads", "scoredLeads", "scored_leads", "items", "data")
_IDS = ("id", "leadId", "lead_id")
AS_IN_FILE = "asInFile"
"""The field of a lead with those of its ids that are not texts in its file, unchanged."""

_MAX_LABEL = 120
_CHECKED_IDS = ("id", "leadId")
"""The ids that the catalogue wants to be texts where they are."""

_COMPANIES = ("company", "companyName", "company_name")
_NAMES = ("name", "contactName", "contact_name")
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
"""The fields that change when a lead is scored again."""


class LeadList(NamedTuple):
    """The leads of a file by id, in its order, and the reasons why other entries are left out.

    `changed` has the ids of the leads that may differ from the previous list; None: all may. `file` is what they were
    read from, if it can be read in blocks. `repeats` is whether an id occurs in it more than once.
    """

    leads: dict[str, Data]
    odd: list[str]
    changed: set[str] | None = None
    file: JsonFile | None = None
    array: str = ""
    repeats: bool = False


class _Content(NamedTuple):
    """What is in a block: leads by id, those with an id that comes again, and what is none, with its position."""

    leads: dict[str, Data]
    again: list[Data]
    odd: list[tuple[int, str]]


def read_leads(data: bytes, known: LeadList | None = None) -> LeadList:
    """Read a file of leads.

    Args:
        data: its text.
        known: the list that was read from it before; it must not be used any more afterwards.

    Raises:
        ValueError: it is none; the message says what is wrong, in a few words. `known` is as it was.
    """
    if known is not None and known.file is not None and known.file.is_text(data):
        return known._replace(changed=set())
    try:
        file = JsonFile(data, _LISTS, _LISTS[0], None if known is None else known.file)
    except ValueError:
        # Not JSON; or with more than lists in it.
        return _read_whole(data)
    name = next((name for name in _LISTS if file.blocks(name) is not None), None)
    if name is None:
        raise ValueError("it has no list of leads")
    return _read_blocks(file, name, known if known is not None and known.array == name else None)


def _read_blocks(file: JsonFile, name: str, known: LeadList | None) -> LeadList:
    blocks = file.blocks(name) or []
    fresh: list[Block] = []
    for block in blocks:
        if block.content is None:
            block.content = _content_of(block)
            fresh.append(block)
    odd: list[str] = []
    base = 0
    for block in blocks:
        for place, what in block.content.odd:
            odd.append(what.replace("entry ", f"entry {base + place + 1} ", 1))
        base += block.count
    repeats = any(block.content.again for block in blocks)
    if known is not None and known.file is not None and not (known.odd or odd or known.repeats or repeats):
        there = set(map(id, blocks))
        gone = [block for block in known.file.blocks(name) or [] if id(block) not in there]
        before = {id_: known.leads.pop(id_) for block in gone for id_ in block.content.leads}
        now = {id_: lead for block in fresh for id_, lead in block.content.leads.items()}
        if len(now) == sum(len(block.content.leads) for block in fresh) and now.keys().isdisjoint(
            known.leads.keys()
        ):
            known.leads.update(now)
            changed = {id_ for id_ in before.keys() | now.keys() if before.get(id_) != now.get(id_)}
            return LeadList(known.leads, odd, changed, file, name)
    leads: dict[str, Data] = {}
    again: list[Data] = []
    for block in blocks:
        for id_, lead in block.content.leads.items():
            if id_ in leads:
                again.append(lead)
            else:
                leads[id_] = lead
        again += block.content.again
    odd += _add_repeated(leads, again)
    return LeadList(leads, odd, None, file, name, bool(again))


def _add_repeated(leads: dict[str, Data], again: list[Data]) -> list[str]:
    """Add leads whose id another one has; return the reasons for those that cannot be added.

    Each gets an id from its company and name, which does not depend on its position in the file.
    """
    odd: list[str] = []
    for lead in again:
        label, known = _label(lead), _label(leads[lead["id"]])
        own = f"{lead['id']} ({label})"
        if not label or label == known or own in leads or len(own) > MAX_ID_LENGTH:
            odd.append(f"{lead['id']} occurs twice")
        else:
            leads[own] = {**lead, "id": own}
    return odd


def _content_of(block: Block) -> _Content:
    values = [element.value for element in block.take()]
    try:
        values = decode_json(msgspec.json.encode(values))
    except (TypeError, UnicodeEncodeError, RecursionError, msgspec.MsgspecError):
        values = [_plain(value) for value in values]
    leads: dict[str, Data] = {}
    again: list[Data] = []
    odd: list[tuple[int, str]] = []
    for place, item in enumerate(values):
        wrong = _wrong_with(item)
        if wrong is not None:
            odd.append((place, f"entry {wrong}"))
        elif (lead := _normalised(item))["id"] in leads:
            again.append(lead)
        else:
            leads[lead["id"]] = lead
    return _Content(leads, again, odd)


def _wrong_with(item: Any) -> str | None:
    """Return what is wrong with an entry that is left out, in words that go on after it is named."""
    if not isinstance(item, dict):
        return "is no object that can be read"
    if not item:
        return "is empty"
    if deeper_than(item, MAX_DEPTH) or len(msgspec.json.encode(item)) > MAX_LEAD_BYTES:
        return f"{_id_of(item)[:_MAX_LABEL]} is larger than {MAX_LEAD_BYTES // 1024} KiB"
    if len(id_ := _id_of(item)) > MAX_ID_LENGTH:
        return f"has an id of {len(id_):,} characters, which may have {MAX_ID_LENGTH}"
    return None


def _plain(value: Any) -> Any:
    """Return a value as JSON can carry it; None where it cannot."""
    try:
        return decode_json(msgspec.json.encode(value))
    except (TypeError, UnicodeEncodeError, RecursionError, msgspec.MsgspecError):
        return None


def _read_whole(data: bytes) -> LeadList:
    text = data.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise ValueError("it is empty")
    try:
        tree = decode_json(text)
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
    again: list[Data] = []
    for index, item in enumerate(tree, 1):
        wrong = _wrong_with(item)
        if wrong is not None:
            odd.append(f"entry {index} {wrong}")
        elif (lead := _normalised(item))["id"] in leads:
            again.append(lead)
        else:
            leads[lead["id"]] = lead
    odd += _add_repeated(leads, again)
    return LeadList(leads, odd, repeats=bool(again))


def laid_over(plain: Mapping[str, Data], scored: Mapping[str, Data]) -> dict[str, Data]:
    """Join what both files say of all leads; see `joined`."""
    leads: dict[str, Data] = {}
    for id_ in dict.fromkeys((*plain, *scored)):
        leads |= joined(id_, plain.get(id_), scored.get(id_))
    return leads


def joined(id_: str, plain: Data | None, scored: Data | None) -> dict[str, Data]:
    """Join what both files say under an id, and return the leads that it is: none, one or two.

    Of one lead, the score is the scored file's, all else the plain one's first. Where they are two, the scored one gets
    the id that `own_id` returns; where that is too long for an id, it is left out.
    """
    if plain is None or scored is None:
        lead = scored if plain is None else plain
        return {} if lead is None else {id_: lead}
    if not _same_lead(plain, scored):
        own = own_id(id_)
        return {id_: plain, own: {**scored, "id": own}} if len(own) <= MAX_ID_LENGTH else {id_: plain}
    scores = {name: value for name, value in scored.items() if name in _OF_A_SCORE}
    lead = {**scored, **plain, **scores}
    if AS_IN_FILE in scored and AS_IN_FILE in plain:
        lead[AS_IN_FILE] = {**scored[AS_IN_FILE], **plain[AS_IN_FILE]}
    return {id_: lead}


_SCORED = " (scored)"


def own_id(id_: str) -> str:
    """Return the id of a scored lead whose id in its file is that of another lead of the plain file."""
    return f"{id_}{_SCORED}"


def file_id(id_: str) -> str:
    """Return the id that a lead has in its file, from the one that it has in the state."""
    return id_.removesuffix(_SCORED)


def changed(old: Data, new: Data) -> tuple[str, Data] | None:
    """Return the event type and data for a change of a lead; None if it did not change."""
    updates = {name: value for name, value in new.items() if name not in old or old[name] != value}
    removed = sorted(old.keys() - new.keys())
    if not updates and not removed:
        return None
    data: Data = {"leadId": new["id"], "updates": updates}
    score = new.get("score")
    # What the file of the scores says first of a lead (`contactName`) is new to it, and comes with its score.
    others_changed = any(name in old for name in updates.keys() - _OF_A_SCORE)
    if "score" in updates and _is_number(score) and not removed and not others_changed:
        factors = next((new[name] for name in ("breakdown", "factors") if new.get(name) is not None), None)
        data["score"] = score
        if factors is not None:
            data["factors"] = factors
        if _is_number(old.get("score")):
            data["previousScore"] = old["score"]
        return "lead:scored", data
    return "lead:updated", {**data, **({"removed": removed} if removed else {})}


def _same_lead(one: Data, other: Data) -> bool:
    """Report whether two entries with the same id are one lead."""
    for names in (_COMPANIES, _NAMES):
        mine, theirs = (_text_under(entry, names) for entry in (one, other))
        if mine and theirs:
            return mine == theirs
    return False


def _text_under(entry: Data, names: tuple[str, ...]) -> str:
    """Return the first text under these names, in the form in which texts are compared."""
    texts = (entry.get(name) for name in names)
    return next((" ".join(text.split()).casefold() for text in texts if isinstance(text, str)), "")


def _label(lead: Data) -> str:
    """Return the company and name of a lead, which distinguish it from another one with its id; "" without both."""
    texts = (_text_under(lead, names) for names in (_COMPANIES, _NAMES))
    return ", ".join(text[:_MAX_LABEL] for text in texts if text)


def _normalised(item: Data) -> Data:
    lead = {**item, "id": _id_of(item)}
    score = next((item[name] for name in _SCORES if _is_number(item.get(name))), None)
    if score is not None:
        lead["score"] = score
    odd = {name: item[name] for name in _CHECKED_IDS if item.get(name) is not None and not _is_id(item[name])}
    if odd or AS_IN_FILE in item:
        lead[AS_IN_FILE] = odd
    if "leadId" in odd:
        lead["leadId"] = str(odd["leadId"]) if _is_whole(odd["leadId"]) else None
    return lead


def as_in_file(lead: Data) -> Data:
    """Return a lead with its ids as its file has them."""
    own = lead.get(AS_IN_FILE)
    if not isinstance(own, dict):
        return lead
    return {**{name: value for name, value in lead.items() if name != AS_IN_FILE}, **own}


def _id_of(item: Data) -> str:
    """Return the id of a lead: its own, or one that is made from its company and name, or else from all that it has."""
    for name in _IDS:
        value = item.get(name)
        if isinstance(value, str) and value:
            return value
        if _is_whole(value):
            return str(value)
    return _label(item) or f"lead {crc32(msgspec.json.encode(item, order='sorted')):08x}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH


def _is_number(value: Any) -> bool:
    # Beyond, a whole number is none that every reader of JSON takes.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 < value < 1e300
