"""The opportunities that the fleet has found, from the workspace's file of them."""

from __future__ import annotations

import asyncio
from statistics import fmean
from typing import Any

import msgspec
from litestar import Response, get

from missioncontrol.errors import Unavailable
from missioncontrol.events import Data, rfc3339
from missioncontrol.events.decoding import decode_json
from missioncontrol.server.responses import AnyRequest, answer, documented, service_of
from missioncontrol.server.routes.leads import score_of
from missioncontrol.server.service import Service
from missioncontrol.watch.tree import read_file

LAST_READ = "opportunities"
FILE = "mission-control/data/opportunities.json"
MAX_FILE_BYTES = 8 * 1024 * 1024
HIGH, MEDIUM = 80, 60
"""From which score on an opportunity has a high, or a medium, priority."""


class OpportunitySummary(msgspec.Struct, rename="camel"):
    """All opportunities in numbers; one of high priority has a score of 80 or more, one of medium priority 60."""

    total_opportunities: int
    average_score: float
    high_priority: int
    medium_priority: int
    low_priority: int


class OpportunityList(msgspec.Struct, rename="camel"):
    """The opportunities as the file has them, and the five with the best score.

    `success` is false where there is no such file. `lastUpdated` is when the file was written. `note` says what is
    wrong with the file as it is now: these are then the opportunities that it had before.
    """

    success: bool
    opportunities: list[dict[str, Any]]
    top5: list[dict[str, Any]]
    summary: OpportunitySummary
    last_updated: str | None
    note: str | None = None


class LastRead:
    """The file's opportunities as they were read last, for as long as it is there and cannot be read."""

    def __init__(self) -> None:
        self.known: OpportunityList | None = None


@get(
    "/api/opportunities",
    responses=documented(OpportunityList, 503),
    tags=["state"],
    summary="The opportunities",
)
async def list_opportunities(request: AnyRequest) -> Response[bytes]:
    """Return what `mission-control/data/opportunities.json` has, as it is, and its summary.

    While the file cannot be read, as when it is half written, they are those that it had before, with a `note`.
    """
    last: LastRead = request.app.state[LAST_READ]
    # The file may have 8 MiB: reading, summing and encoding it must not hold up other requests.
    body = await asyncio.to_thread(_read, service_of(request), last)
    return answer(body)


def _read(service: Service, last: LastRead) -> bytes:
    try:
        last.known = found = _found(service)
    except Unavailable as error:
        if last.known is None:
            raise
        found = msgspec.structs.replace(last.known, note=str(error))
    return msgspec.json.encode(found or OpportunityList(False, [], [], _summarise([]), None))


def _found(service: Service) -> OpportunityList | None:
    content = read_file(service.workspace, FILE, MAX_FILE_BYTES)
    if content is None:
        return None
    if isinstance(content, str):
        raise Unavailable(f"{FILE} cannot be used as it is: {content}.")
    found = parse_opportunities(content.data)
    best = sorted(found, key=_score, reverse=True)[:5]
    updated = rfc3339(max(0, content.mtime_ns // 1_000_000)).decode()
    return OpportunityList(True, found, best, _summarise(found), updated)


def parse_opportunities(data: bytes) -> list[Data]:
    """Read the file's opportunities: a list, or an object with the list under `opportunities`.

    Raises:
        Unavailable: it is neither; the message says what is wrong.
    """
    try:
        tree = decode_json(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unavailable(f"{FILE} cannot be used as it is: it is not JSON: {error}.") from None
    if isinstance(tree, dict):
        tree = tree.get("opportunities")
    if not isinstance(tree, list):
        raise Unavailable(f'{FILE} cannot be used as it is: it has no list under "opportunities".')
    return [item for item in tree if isinstance(item, dict)]


def _summarise(opportunities: list[Data]) -> OpportunitySummary:
    scores = [_score(one) for one in opportunities]
    high = sum(score >= HIGH for score in scores)
    medium = sum(MEDIUM <= score < HIGH for score in scores)
    average = round(fmean(scores), 2) if scores else 0.0
    return OpportunitySummary(len(scores), average, high, medium, len(scores) - high - medium)


def _score(opportunity: Data) -> float:
    """Return a score, also one that is written as a text; 0 where there is none."""
    score = opportunity.get("score")
    if isinstance(score, str):
        try:
            score = float(score)
        except ValueError:
            return 0.0
    return score_of(score)
