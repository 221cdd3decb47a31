"""All tools, in the order in which clients are shown them."""

from __future__ import annotations

from typing import Any

from missioncontrol.server.mcp import agents, events, questions, tasks
from missioncontrol.server.mcp.tool import Tool

TOOLS: dict[str, Tool[Any, Any]] = {
    tool.name: tool for tool in (*agents.TOOLS, *tasks.TOOLS, *questions.TOOLS, *events.TOOLS)
}
