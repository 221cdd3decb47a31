"""What people read about events: the vectors in `spec/sentences.json`, which the browser's tests replay too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.events import CATALOGUE, Event
from missioncontrol.events.sentence_templates import Catalogue, Sentences, Template
from missioncontrol.events.sentences import catalogue, describe

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "spec/sentences.json").read_text())
NAMES: dict[str, str] = VECTORS["names"]


def name_of(id_: str) -> str:
    return NAMES.get(id_, id_)


@pytest.mark.parametrize("vector", VECTORS["events"], ids=lambda one: f"{one['type']} {one['data']}"[:60])
def test_an_event_is_this_sentence(vector: dict[str, Any]) -> None:
    sentence = catalogue().of_event(vector["type"], vector["data"], name_of)
    assert (None if sentence is None else list(sentence)) == vector["sentence"]
    event = Event(vector["type"], 1, "2026-11-23T10:15:00.123Z", "agents", vector["data"])
    whole = " ".join(vector["sentence"] or [])
    assert not sentence or describe(event, name_of)[:230] == whole[:230]


@pytest.mark.parametrize("gap", VECTORS["gaps"])
def test_a_gap_is_this_sentence(gap: dict[str, Any]) -> None:
    assert list(catalogue().of_gap(gap["from"], gap["to"], gap["reason"])) == gap["sentence"]


def test_every_type_of_the_catalogue_has_a_sentence_and_a_vector() -> None:
    assert catalogue().types == CATALOGUE.keys()
    assert {vector["type"] for vector in VECTORS["events"] if vector["sentence"]} == CATALOGUE.keys()


_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30)),
    lambda inner: st.lists(inner, max_size=25) | st.dictionaries(st.text(max_size=8), inner, max_size=25),
    max_leaves=40,
)
_NAMES = [
    *(
        "agentId",
        "status",
        "activity",
        "updates",
        "currentTask",
        "taskId",
        "task",
        "id",
        "description",
        "archived",
    ),
    *(
        "lead",
        "leadId",
        "score",
        "agent",
        "tokens",
        "cost",
        "delta",
        "movedTo",
        "percentUsed",
        "scope",
        "question",
    ),
    *(
        "text",
        "options",
        "reason",
        "destinations",
        "standup",
        "totals",
        "level",
        "message",
        "path",
        "action",
        "size",
    ),
]


@given(st.sampled_from(sorted(CATALOGUE)), st.dictionaries(st.sampled_from(_NAMES), _VALUES))
def test_no_data_makes_a_sentence_fail(type_: str, data: dict[str, Any]) -> None:
    sentence = catalogue().of_event(type_, data)
    assert sentence is None or all(isinstance(part, str) for part in sentence)


@pytest.mark.parametrize("template", ["[a", "a]", "a {b", "a }b"])
def test_a_template_that_is_not_closed_is_refused(template: str) -> None:
    found = Catalogue("en", {}, {}, {}, {"a:b": [Template("A", template)]}, [])
    with pytest.raises(ValueError, match="bracket"):
        Sentences(found)
