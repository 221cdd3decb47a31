"""Large arrays in blocks: after an edit a reader finds what a fresh one finds, and reads only what has changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fleet.tasks.desk import root, task

from missioncontrol.fleet.tasks.document import ArrayEdits, Document, Edit, Edits
from missioncontrol.fleet.tasks.reading import copy_of, read_queue
from missioncontrol.json_text import blocks
from missioncontrol.json_text.blocks import Block, Passed
from missioncontrol.json_text.spans import NotJson, skipped


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 200)
    monkeypatch.setattr(blocks, "_ANCHOR_REACH", 4096)


def values(document: Document) -> list[Any]:
    return [element.value for block in document.tasks or () for element in block.elements()]


tasks = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(0, 30), "notes": st.text('aé☃"\\\n]},', max_size=40), "tags": st.just([[], {}])}
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=300)
@given(tasks, tasks, st.data(), st.sampled_from([None, 0, 2]))
def test_a_queue_that_is_read_after_another_is_what_a_fresh_reader_finds(
    old: list[Any], other: list[Any], data: st.DataObject, indent: int | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", 200)
        patch.setattr(blocks, "_ANCHOR_REACH", 2048)
        new = list(old)
        for _ in range(data.draw(st.integers(0, 4))):
            start = data.draw(st.integers(0, len(new)))
            end = data.draw(st.integers(start, min(len(new), start + 3)))
            new[start:end] = other[: data.draw(st.integers(0, 3))]
        first = json.dumps({"tasks": old, "nextId": 1}, indent=indent).encode()
        again = json.dumps({"v": 2, "tasks": new, "nextId": data.draw(st.integers(1, 99))}, indent=indent)
        if data.draw(st.booleans()):
            again = again.replace("}, {", "} ,  {")
        known, text = read_queue(first), again.encode()
        before = dict(known.by_id)
        copy, fresh = read_queue(text, known), read_queue(text)
        assert copy.document is not None
        assert fresh.document is not None
        assert b"".join(copy.document.parts()) == text
        assert values(copy.document) == values(fresh.document) == new
        assert copy.document.next_id == fresh.document.next_id
        assert {id_: entry.task for id_, entry in copy.by_id.items()} == {
            id_: entry.task for id_, entry in fresh.by_id.items()
        }
        if copy.changed is not None:
            here = {id_: entry.task for id_, entry in copy.by_id.items()}
            ids = before.keys() | here.keys()
            differing = {
                id_ for id_ in ids if id_ not in before or id_ not in here or before[id_].task != here[id_]
            }
            assert copy.changed == differing


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("place", [0, 1, 499, 998, 999])
def test_an_edit_among_many_tasks_reads_and_writes_the_blocks_that_it_is_in(place: int) -> None:
    whole = root(*(task(number) for number in range(1000)))
    copy = read_queue(json.dumps(whole, indent=2).encode())
    assert copy.document is not None
    known = set(map(id, copy.document.tasks or ()))
    whole["tasks"][place]["notes"] = "edited by hand"
    whole["nextId"] += 1
    text = json.dumps(whole, indent=2).encode()
    copy = read_queue(text, copy)
    assert copy.changed == {f"TASK-{place:04}"}
    assert copy.document is not None
    blocks_now = copy.document.tasks or []
    assert sum(id(block) not in known for block in blocks_now) <= 3
    edited = copy.document.with_edits(
        Edits(ArrayEdits({place: Edit({"notes": "again"})}, added=[task(2000)]))
    )
    assert sum(block not in blocks_now for block in edited.tasks or ()) <= 3
    whole["tasks"][place]["notes"] = "again"
    whole["tasks"].append(task(2000))
    assert json.loads(b"".join(edited.parts())) == whole
    assert copy_of(edited, copy).changed == {f"TASK-{place:04}", "TASK-2000"}


def test_several_edits_far_apart_are_found_without_reading_what_is_between() -> None:
    whole = root(*(task(number) for number in range(5000)))
    copy = read_queue(json.dumps(whole).encode())
    known = set(map(id, copy.document.tasks or ())) if copy.document else set()
    for place in (10, 2500, 4990):
        whole["tasks"][place]["notes"] = "x" * 1000
    del whole["tasks"][3000]
    copy = read_queue(json.dumps(whole).encode(), copy)
    assert copy.changed == {"TASK-0010", "TASK-2500", "TASK-3000", "TASK-4990"}
    assert copy.document is not None
    assert sum(id(block) not in known for block in copy.document.tasks or ()) <= 12


@pytest.mark.parametrize(
    "text",
    ['{"a":[1,-2.5e3,true,null,"\\u00e9\\\\"],"b":{}}', "[" * 5000 + "]" * 5000, "0", '""', "-1.0"],
)
def test_a_value_is_passed_over_to_its_end(text: str) -> None:
    assert skipped(f"{text} ,".encode(), 0) == (len(text), None)
    assert skipped(f'{{"x":{text},"id":"T","y":[]}}]'.encode(), 0)[1] == "T"


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "{", "[1,]", "[,1]", "{]", "[}", '{"a"}', '{"a":}', '{"a":1,}', '{1:2}', "[1 2]", '"\n"',
        '"\\x"', "[01]", "[1.]", "NaN", "tru", '{"a":1 "b":2}', "[" * 200_000, '["' + "x" * 100, "]",
    ],
)  # fmt: skip
def test_what_is_not_json_is_not_passed_over(text: str) -> None:
    with pytest.raises(NotJson):
        skipped(text.encode(), 0)


def test_an_element_that_is_too_large_or_too_deep_is_passed_over_and_stays_as_it_is() -> None:
    deep = "[" * 3000 + "]" * 3000
    digits = "9" * 5000
    text = (
        f'{{"tasks": [{{"id": "a"}}, {{"id": "b", "x": {deep}}}, {{"id": "c", "n": {digits}}}, '
        f'{{"id": "d", "text": "{"x" * 3_000_000}"}}, {{"id": "e"}}]}}'
    ).encode()
    copy = read_queue(text)
    assert list(copy.by_id) == ["a", "e"]
    assert copy.left == {"b", "c", "d"}
    assert copy.document is not None
    found = [one for one in values(copy.document) if isinstance(one, Passed)]
    assert [one.id for one in found] == ["b", "c", "d"]
    written = copy.document.edited(Edits(ArrayEdits({0: Edit({"n": 1})}, {4})))
    assert written == text.replace(b'{"id": "a"}', b'{"id": "a", "n": 1}').replace(b', {"id": "e"}', b"")


def test_a_block_that_was_written_is_read_as_it_is() -> None:
    block = Block.of('{"id": 1}, {"id": 2} ,\n')
    assert [element.value for element in block.take()] == [{"id": 1}, {"id": 2}]
    assert block.elements() == Block.of(block.text).elements()
