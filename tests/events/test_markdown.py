"""Texts of others within Markdown make no markup, and a table is read as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.events.markdown import markdown_cell, markdown_text, plain_cell
from missioncontrol.fleet.tasks.markdown import read_markdown, write_markdown


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[a](javascript:b)",
        "![a](http://evil.example/x.png)",
        "a | b",
        "`code`",
        "# title",
    ],
)
def test_an_export_of_tasks_has_no_markup_of_others(text: str) -> None:
    task = {
        "id": "TASK-0001",
        "description": text,
        "status": "pending",
        "priority": "P1",
        "assignedTo": "scout",
    }
    document = write_markdown([task], [{"id": "TASK-0000", "description": text}], "now")
    assert f"| {text}" not in document
    assert "<script" not in document
    assert "](" not in document
    (read,), (over,) = read_markdown(document)
    assert read["description"] == text
    assert over["description"] == text


def test_control_sequences_are_no_part_of_a_document() -> None:
    assert "\x1b" not in markdown_cell("\x1b]0;title\x07") + markdown_text("\x1b[31m")


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_a_cell_is_read_as_it_was_written(text: str) -> None:
    assert plain_cell(markdown_cell(text)) == text
