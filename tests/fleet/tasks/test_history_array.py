"""The history as it is read: one that is read after another has in it what a fresh reader finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.fleet.tasks.history import History
from missioncontrol.fleet.tasks.reading import read_queue
from missioncontrol.json_text import blocks

entries = st.lists(
    st.fixed_dictionaries(
        {"status": st.sampled_from(["done", "cancelled", 7])},
        optional={"id": st.sampled_from(["a", "b", "c", "d", 5]), "notes": st.text("xy", max_size=60)},
    )
    | st.sampled_from(["no object", None]),
    max_size=12,
)


def found(history: History) -> dict[str, Any]:
    return {id_: history.find(id_) for id_ in history.by_id}


@given(st.lists(entries, min_size=2, max_size=4))
def test_a_history_that_is_read_after_another_is_what_a_fresh_reader_finds(versions: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", 100)
        texts = [json.dumps({"tasks": [], "history": history, "nextId": 1}).encode() for history in versions]
        copy = read_queue(texts[0])
        for text, history in zip(texts[1:], versions[1:], strict=True):
            before = found(copy.history)
            copy, fresh = read_queue(text, copy), read_queue(text)
            assert list(copy.history) == list(fresh.history) == history
            assert found(copy.history) == found(fresh.history)
            assert copy.history.count_completed(()) == fresh.history.count_completed(())
            assert copy.history.newest(5) == history[::-1][:5]
            after = found(copy.history)
            missing = object()
            differing = {id_ for id_ in before | after if before.get(id_, missing) != after.get(id_, missing)}
            assert copy.changed == differing


def test_tasks_of_the_state_are_not_counted_twice() -> None:
    history = History.of([{"id": "a"}, {"id": "b", "status": "cancelled"}, {"id": "c"}, {"x": 1}])
    assert history.count_completed(()) == 3
    assert history.count_completed({"a", "b"}) == 2
    assert history.count_completed({"a", "b", "c", "d", "e"}) == 1
