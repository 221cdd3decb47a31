"""`publish`: one event, or NDJSON from standard input."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Annotated, Protocol

import msgspec
from cyclopts import Parameter

from missioncontrol.cli.settings import ClientToken, Url, read_token, read_url
from missioncontrol.client import Publisher
from missioncontrol.errors import BadEvent, InputError
from missioncontrol.events import Data, Draft, decode_drafts
from missioncontrol.events.decoding import read_float


class _Input(Protocol):
    def read1(self, size: int, /) -> bytes: ...


CHUNK_BYTES = 256 * 1024
_decode_data = msgspec.json.Decoder(Data, float_hook=read_float).decode


def publish(
    type_: Annotated[
        str,
        Parameter(
            name="TYPE",
            help="The event's type, `category:name`; or `-` to read whole events from standard input.",
            allow_leading_hyphen=True,
        ),
    ],
    data: Annotated[
        str | None,
        Parameter(
            name="DATA",
            help="What it tells, a JSON object; or `-` to read one from each line of standard input.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    /,
    *,
    key: Annotated[
        str | None,
        Parameter(
            help="Makes a repetition harmless: under one key an event is appended once. One event only."
        ),
    ] = None,
    url: Url = None,
    token: ClientToken = None,
    timeout: Annotated[float, Parameter(help="Seconds to keep trying until there is an answer.")] = 10.0,
) -> int:
    """Publish events, and print the id of each on a line once it is durable.

    Each event travels under a key, so that a repeated attempt never doubles it. Lines from standard input are
    sent as they come, together where they come quickly.

    For example:

        mission-control publish custom:deploy '{"version": "1.4.2"}'
        mission-control publish system:alert '{"level": "warning", "message": "disk at 90%"}' --key disk-90
        tail -f build.ndjson | mission-control publish build:step -
        mission-control publish - < events.ndjson
    """
    from_input = type_ == "-" or data == "-"
    if type_ == "-" and data is not None:
        raise BadEvent(
            "With `-` in the type's place the events come whole from standard input: leave the data out."
        )
    if from_input and key is not None:
        raise BadEvent("--key is for a single event; put a `key` into each line of standard input.")
    with asyncio.Runner() as runner:
        publisher = Publisher(read_url(url), token=read_token(token), deadline=timeout)
        runner.run(publisher.__aenter__())
        try:
            if not from_input:
                _print(runner.run(publisher.publish_many([Draft(type_, _read_data(data), key)])))
                return 0
            # Reading stays outside the event loop, so that Ctrl-C ends it as it ends any reader.
            for drafts in read_drafts(_standard_input(), None if type_ == "-" else type_):
                _print(runner.run(publisher.publish_many(drafts)))
        finally:
            runner.run(publisher.__aexit__(None, None, None))
    return 0


def read_drafts(source: _Input, type_: str | None) -> Iterator[list[Draft]]:
    """Read events from NDJSON, as many at a time as are there.

    Args:
        source: where the lines come from.
        type_: the type of all of them, whose data the lines are; None where each line is a whole event.

    Raises:
        BadEvent: a line is not an event; those before it were handed over.
    """
    number = 0
    rest = b""
    while True:
        chunk = source.read1(CHUNK_BYTES)
        *lines, rest = (rest + chunk).split(b"\n")
        if not chunk and rest:
            lines, rest = [rest], b""
        drafts: list[Draft] = []
        failure: BadEvent | None = None
        for line in lines:
            number += 1
            if not line.strip():
                continue
            try:
                drafts.append(_read_line(line, type_))
            except (InputError, msgspec.MsgspecError, UnicodeDecodeError) as error:
                failure = BadEvent(f"Line {number} of standard input is not an event: {error}")
                break
        if drafts:
            yield drafts
        if failure is not None:
            raise failure
        if not chunk:
            return


def _standard_input() -> _Input:
    # A buffered reader, of which the type of standard input says nothing.
    source: _Input = sys.stdin.buffer  # type: ignore[assignment]
    return source


def _read_line(line: bytes, type_: str | None) -> Draft:
    return decode_drafts(line)[0] if type_ is None else Draft(type_, _decode_data(line))


def _read_data(text: str | None) -> Data:
    if text is None:
        return {}
    try:
        return _decode_data(text)
    except msgspec.MsgspecError as error:
        raise BadEvent(f"The data is not a JSON object: {error}.") from None


def _print(ids: list[int]) -> None:
    print("\n".join(map(str, ids)), flush=True)
