"""The page about MCP against the code, and the settings that it names."""

from __future__ import annotations

import re
from pathlib import Path

from missioncontrol.cli import mcp as bridge
from missioncontrol.config import McpConfig
from missioncontrol.server.mcp import questions, resources, subscriptions
from missioncontrol.server.mcp.tool import MAX_AGENT_ID, schema_of
from missioncontrol.server.mcp.tools import TOOLS

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "mcp.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())


def rows(heading: str) -> list[list[str]]:
    """The rows of the table whose first column is headed so."""
    _, _, rest = PAGE.partition(f"\n| {heading} |")
    lines = rest.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_tool_is_in_the_table_with_its_scope_and_arguments_that_it_has() -> None:
    table = rows("tool")
    assert [(name.strip("`"), scope) for name, scope, _ in table] == [
        (name, tool.scope) for name, tool in TOOLS.items()
    ]
    for name, _, what in table:
        known = schema_of(TOOLS[name.strip("`")].arguments).get("properties", {})
        assert set(re.findall(r"`(\w+)`", what)) <= known.keys()


def test_each_resource_is_in_the_table() -> None:
    documented = {uri.strip("`") for uri, _ in rows("resource")}
    templates = {one.uri for one in resources.TEMPLATES}
    plain = {one.uri for one in resources.RESOURCES if not one.uri.startswith(f"{resources.STATE}/")}
    assert documented == templates | plain
    assert f"one part of it: {', '.join(resources.PARTS)}" in WORDS


def test_the_figures_in_it_are_those_of_the_code() -> None:
    settings = McpConfig()
    for said in (
        f"`mcp.session_idle` seconds ({settings.session_idle / 60:g} minutes)",
        f"`mcp.max_sessions` sessions ({settings.max_sessions:,})",
        f"1 to {MAX_AGENT_ID} letters",
        f"({questions.AskPerson(text='x').wait:g} seconds, `wait` up to an hour)",
        f"progress every {questions.PROGRESS_SECONDS:g} seconds",
        f"waits up to {bridge.RETRY_SECONDS:g} seconds",
        f"{subscriptions.MAX_PER_SESSION} resources for each session",
        f"the newest {resources.NEWEST_EVENTS} events",
        bridge.AGENT_VARIABLE,
    ):
        assert said in WORDS, said
    assert questions.MAX_WAIT_SECONDS == 3600
    assert subscriptions.FLUSH_SECONDS == 0.5
