"""Bodies of requests that ask for something to be done: how they are read, and how the reference describes them.

They are read as they are and judged by whoever does it, since what is sent may have fields of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from missioncontrol.errors import BadMessage, Draining
from missioncontrol.events.decoding import decode_json
from missioncontrol.events.limits import check_json
from missioncontrol.server.responses import JSON, AnyRequest, service_of


async def read_json(request: AnyRequest) -> Any:
    """Read a body; an empty one is an empty object.

    Raises:
        BadMessage: it is not JSON.
        Draining: nothing more is done.
        TooDeep: it has too many levels.
        TooLarge: it has too many elements.
    """
    if service_of(request).draining:
        raise Draining("The server is about to stop and takes nothing more; send it again in a moment.")
    body = await request.body()
    if not body.strip():
        return {}
    check_json(body)
    try:
        return decode_json(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"The body is not JSON: {error}.") from None


def takes(
    description: str, properties: Mapping[str, Schema], required: Sequence[str] = ()
) -> type[Operation]:
    """Describe the body of an operation that reads it as it is."""

    @dataclass
    class BodyOperation(Operation):
        def __post_init__(self) -> None:
            schema = Schema(
                type=OpenAPIType.OBJECT, properties=dict(properties), required=list(required) or None
            )
            self.request_body = RequestBody(
                required=bool(required),
                description=description,
                content={JSON: OpenAPIMediaType(schema=schema)},
            )

    return BodyOperation


def text_schema(**more: Any) -> Schema:
    """Describe a text."""
    return Schema(type=OpenAPIType.STRING, **more)
