"""The text of the queue: what does not change keeps its bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.fleet.tasks.document import EMPTY, ArrayEdits, Document, Edit, Edits
from missioncontrol.json_text.file import BOM

HAND_WRITTEN = """{
    "note": "please keep",
    "tasks": [
        { "id": "TASK-0001", "description": "One",   "tags": ["a", "b"], "x": 1.50 },
        {
            "id": "TASK-0002",
            "description": "Two: ünïcode",
            "subtasks": [
                {"id": "s1"}
            ]
        }
    ],
    "nextId" : 3
}
"""


def edited(text: str, *, next_id: int | None = None, **edits: Any) -> str:
    return Document(text.encode()).edited(Edits(ArrayEdits(**edits), next_id=next_id)).decode()


def test_a_changed_value_is_replaced_where_it_stands() -> None:
    text = edited(HAND_WRITTEN, changed={0: Edit({"description": "New"})})
    assert text == HAND_WRITTEN.replace('"One"', '"New"')


def test_a_new_member_is_written_like_its_neighbours() -> None:
    text = edited(HAND_WRITTEN, changed={0: Edit({"status": "review"}), 1: Edit({"status": "review"})})
    assert '"x": 1.50,   "status": "review" }' in text or '"x": 1.50, "status": "review" }' in text
    assert '\n            ],\n            "status": "review"\n        }' in text


def test_a_member_that_goes_takes_its_comma_with_it() -> None:
    for name, rest in (("id", ' "description"'), ("x", '"b"] }')):
        text = edited(HAND_WRITTEN, changed={0: Edit({}, [name])})
        assert name not in json.loads(text)["tasks"][0]
        assert rest.strip() in text
        assert json.loads(text)["tasks"][1] == json.loads(HAND_WRITTEN)["tasks"][1]


def test_a_new_task_is_written_like_the_first() -> None:
    text = edited(HAND_WRITTEN, added=[{"id": "TASK-0003", "tags": []}], next_id=4)
    assert text.startswith(HAND_WRITTEN[: HAND_WRITTEN.index("\n    ],")])
    assert '"nextId" : 4' in text
    assert json.loads(text)["tasks"][2] == {"id": "TASK-0003", "tags": []}


def test_tasks_are_dropped_wherever_they_stand() -> None:
    for dropped in ({0}, {1}, {0, 1}):
        tasks = json.loads(edited(HAND_WRITTEN, dropped=dropped))["tasks"]
        assert tasks == [
            task for index, task in enumerate(json.loads(HAND_WRITTEN)["tasks"]) if index not in dropped
        ]


def test_an_empty_queue_takes_its_first_task_in_its_own_manner() -> None:
    text = edited(EMPTY.decode(), added=[{"id": "TASK-0001", "subtasks": [{"id": "a"}]}], next_id=2)
    assert text == json.dumps(json.loads(text), indent=2) + "\n"
    assert edited('{"tasks":[]}', added=[{"id": "T"}]) == '{"tasks":[{"id":"T"}]}'


@pytest.mark.parametrize("indent", [None, 1, 2, 4, "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_files_own_form_is_kept(indent: int | str | None, newline: str) -> None:
    tasks: list[dict[str, Any]] = [{"id": f"T{n}", "tags": ["a"], "notes": "n"} for n in range(3)]
    text = json.dumps({"tasks": tasks, "nextId": 3}, indent=indent).replace("\n", newline)
    new = {"id": "T3", "tags": [], "notes": ""}
    result = edited(text, added=[new], changed={1: Edit({"notes": "changed", "due": None})})
    tasks[1] |= {"notes": "changed", "due": None}
    whole = json.dumps({"tasks": [*tasks, new], "nextId": 3}, indent=indent).replace("\n", newline)
    assert json.loads(result) == json.loads(whole)
    assert ("\r\n" in result) == ("\r\n" in text)
    # Nothing of the first task, and no line of what was there, has moved.
    assert result.startswith(text[: text.index('"T1"')])


def test_a_byte_order_mark_and_a_bare_list_stay() -> None:
    document = Document(BOM + b'[{"id": "a"}]')
    assert (
        document.edited(Edits(ArrayEdits(added=[{"id": "b"}]), next_id=3))
        == BOM + b'[{"id": "a"},{"id": "b"}]'
    )


def test_a_root_without_tasks_gets_them() -> None:
    assert json.loads(edited('{\n  "version": 1\n}', added=[{"id": "a"}], next_id=2)) == {
        "version": 1,
        "nextId": 2,
        "tasks": [{"id": "a"}],
    }


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "it is empty"),
        ("  \n", "it is empty"),
        ('{"tasks": [', "it is not JSON"),
        ('{"tasks": [{"id": "a"},]}', "it is not JSON"),
        ('{"tasks": [{"id": "a"} {"id": "b"}]}', "it is not JSON"),
        ('{"tasks": []} {}', "something follows"),
        ('{"tasks": {}}', 'its "tasks" is no list'),
        ("7", "neither an object nor a list"),
        ('{"tasks": [{"a": NaN}]}', "NaN is none"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_queue_is_refused_with_the_reason(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        Document(text.encode())


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('aé"\\\n{}[],:', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)
tasks_of = st.lists(st.dictionaries(st.sampled_from("abcdef"), values, max_size=5), max_size=5)


names = st.sampled_from("abcdefgh")


def drawn_edits(
    elements: list[dict[str, Any]], data: st.DataObject
) -> tuple[ArrayEdits, list[dict[str, Any]]]:
    """Return edits of an array, and what it is afterwards."""
    edits = ArrayEdits(added=data.draw(st.lists(st.dictionaries(names, values, max_size=3), max_size=2)))
    wanted: list[dict[str, Any]] = []
    for index, element in enumerate(elements):
        what = data.draw(st.sampled_from(["keep", "drop", "change"]))
        if what == "drop":
            edits.dropped.add(index)
            continue
        if what == "change":
            updates = data.draw(st.dictionaries(names, values, max_size=3))
            removed = [name for name in data.draw(st.lists(names, max_size=2)) if name not in updates]
            edits.changed[index] = Edit(updates, removed)
            element = {name: value for name, value in {**element, **updates}.items() if name not in removed}
        wanted.append(element)
    return edits, [*wanted, *edits.added]


@given(
    tasks_of,
    st.none() | tasks_of,
    st.sampled_from([None, 0, 2, "\t"]),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,  ", " : ")]),
    st.data(),
)
def test_any_edits_of_any_queue_give_what_was_asked_for(
    tasks: list[dict[str, Any]],
    history: list[dict[str, Any]] | None,
    indent: Any,
    separators: tuple[str, str],
    data: st.DataObject,
) -> None:
    root = {"tasks": tasks, "nextId": 1} if history is None else {"history": history, "tasks": tasks}
    text = json.dumps(root, indent=indent, separators=separators)
    of_tasks, wanted = drawn_edits(tasks, data)
    of_history, wanted_history = drawn_edits(history or [], data)
    result = json.loads(Document(text.encode()).edited(Edits(of_tasks, of_history)))
    assert result["tasks"] == wanted
    assert result.get("history", []) == wanted_history


def test_a_task_that_moves_into_the_history_is_written_like_the_tasks() -> None:
    over = {"id": "TASK-0001", "tags": ["a"], "archived": "2026-11-30T10:00:00Z"}
    text = edited(HAND_WRITTEN, dropped={0})
    edits = Edits(ArrayEdits(dropped={0}), ArrayEdits(added=[over]))
    moved = Document(HAND_WRITTEN.encode()).edited(edits).decode()
    assert moved.startswith(text[: text.index('"nextId" : 3')])
    assert json.loads(moved)["history"] == [over]
    # A history that is there, and empty, is filled where it is.
    first, end = HAND_WRITTEN.replace("}\n            ]", "}]").rsplit('"nextId"', 1)
    text = f'{first}"history": [],\n    "nextId"{end}'
    moved = Document(text.encode()).edited(edits).decode()
    assert json.loads(moved)["history"] == [over]
    assert moved.index('"history"') < moved.index('"nextId"')
