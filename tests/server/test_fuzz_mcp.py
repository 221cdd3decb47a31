"""Whatever a tool is called with, it answers or says what is wrong; nothing takes it by surprise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.site import Site

from missioncontrol.errors import MissionControlError
from missioncontrol.server.access import ALL_SCOPES, Caller
from missioncontrol.server.mcp.sessions import Sessions
from missioncontrol.server.mcp.tool import Call, Tool, schema_of
from missioncontrol.server.mcp.tools import TOOLS

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


WORDS = (
    "TASK-0001",
    "scout",
    "forge",
    "busy",
    "offline",
    "completed",
    "cancelled",
    "Unassigned",
    "P1",
    "a:b",
)


def valid(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema lets through, or nearly."""
    if "anyOf" in schema:
        return st.one_of([valid(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return st.sampled_from(WORDS) | st.text(max_size=20)
        case "boolean":
            return st.booleans()
        case "integer" | "number":
            return st.integers(0, 100) | st.floats(0, 100)
        case "array":
            return st.lists(valid(schema["items"]), max_size=3)
        case "object":
            return st.dictionaries(st.text(max_size=5), ANYTHING, max_size=3)
        case _:
            return st.none()


async def _no_progress(done: float, total: float | None, message: str) -> None:
    pass


def call_of(site: Site) -> Call:
    return Call(
        service=site.service,
        caller=Caller(None, ALL_SCOPES),
        sessions=Sessions(site.service, 60.0),
        session=None,
        closing=asyncio.Event(),
        progress=_no_progress,
        named="scout",
    )


@pytest.mark.anyio
@pytest.mark.parametrize("name", TOOLS)
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_a_tool_is_ready_for_anything(name: str, data: st.DataObject) -> None:
    site = Site()
    call = call_of(site)
    try:
        await site.service.tasks.create({"id": "TASK-0001"})
        for _ in range(5):
            assert await said(TOOLS[name], call, data.draw(arguments_of(TOOLS[name])))
    finally:
        await call.sessions.stop()
        site.hub.close()


async def said(tool: Tool[Any, Any], call: Call, arguments: dict[str, Any]) -> str:
    """What a tool answers, or has against it."""
    try:
        return str((await tool(call, arguments)).message)
    except MissionControlError as error:
        return str(error)


@st.composite
def arguments_of(draw: st.DrawFn, tool: Tool[Any, Any]) -> dict[str, Any]:
    """Arguments that a tool should take, and now and then one that it should not."""
    schema = schema_of(tool.arguments)
    fields = schema["properties"]
    chosen = {*draw(st.sets(st.sampled_from([*fields, "no such field"]))), *schema.get("required", ())}
    arguments = {name: draw(valid(fields.get(name, {}))) for name in sorted(chosen)}
    if arguments and draw(st.integers(0, 2)) == 0:
        arguments[draw(st.sampled_from(sorted(arguments)))] = draw(ANYTHING)
    if "wait" in fields:
        # Nobody answers here.
        arguments["wait"] = 0
    return arguments
