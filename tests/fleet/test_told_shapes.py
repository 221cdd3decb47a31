"""Whatever agents write into their files, what the sources tell of it has the shapes of the catalogue."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from missioncontrol.errors import BadTask
from missioncontrol.events import Draft
from missioncontrol.events.event import encode_data
from missioncontrol.fleet import agents
from missioncontrol.fleet.lead_file import changed, laid_over, read_leads
from missioncontrol.fleet.profile import Known, parse_state, shorten
from missioncontrol.fleet.soul import parse_soul
from missioncontrol.fleet.tasks import task as tasks
from missioncontrol.fleet.tasks.entries import id_in, task_in

ODD: list[Any] = [
    None,
    "",
    "x",
    " ",
    0,
    7,
    -1,
    7.5,
    10**400,
    True,
    [],
    ["a", 1],
    {},
    {"a": None},
    "\ud800",
    "é" * 600,
]
odd = st.sampled_from(ODD) | st.text(max_size=3)


def objects(*names: str, rare: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys((*names, *rare), odd))


def text_of(value: Any) -> bytes:
    """Return JSON as Python's own tools write it, with halves of characters as they are escaped."""
    return json.dumps(value).encode()


def check(type_: str, data: dict[str, Any]) -> None:
    """Raise what the log's door would refuse it with."""
    encode_data(Draft(type_, data))


lead_entries = st.lists(
    objects(
        "id",
        "leadId",
        "company",
        "name",
        "contactName",
        "score",
        "totalScore",
        "breakdown",
        "factors",
        "priorityTier",
        "asInFile",
    )
    | odd,
    max_size=4,
)


@settings(max_examples=300)
@given(lead_entries, lead_entries, lead_entries, lead_entries)
@example([], [{"leadId": 7, "totalScore": 1}], [], [{"leadId": 7, "totalScore": 2, "breakdown": ["x"]}])
@example([], [{"id": "x"}], [], [{"id": "x", "score": "85"}])
@example([], [{"id": "x"}], [], [{"id": "x", "score": 10**400}])
@example([{"id": "x", "score": True}], [], [{"id": "x", "score": 8}], [])
def test_leads_are_told_in_the_shapes_of_the_catalogue(
    plain: list[Any], scored: list[Any], plain_then: list[Any], scored_then: list[Any]
) -> None:
    before, after = (
        laid_over(read_leads(text_of(one)).leads, read_leads(text_of({"scoredLeads": other})).leads)
        for one, other in ((plain, scored), (plain_then, scored_then))
    )
    for id_, lead in after.items():
        assert lead["id"] == id_
        check("lead:added", {"lead": lead})
        if id_ in before and (told := changed(before[id_], lead)) is not None:
            check(*told)
    check("state:baseline", {"source": "leads", "leads": list(after.values())})


task_entry = objects(
    "id",
    "description",
    "status",
    "priority",
    "assignedTo",
    "result",
    "tags",
    "metadata",
    "created",
    "updated",
)


@settings(max_examples=300)
@given(task_entry, task_entry)
def test_tasks_are_told_in_the_shapes_of_the_catalogue(old: dict[str, Any], new: dict[str, Any]) -> None:
    read = []
    for value in (old, new):
        try:
            entry = task_in(json.loads(text_of(value)))
        except BadTask:
            return
        read.append({**entry, "id": id_in(entry) or "TASK-0001"})
    check("task:created", {"task": read[0]})
    check("state:baseline", {"source": "tasks", "tasks": read})
    told = tasks.changed(read[0], {**read[1], "id": read[0]["id"]})
    if told is not None:
        check(*told)


state_file = objects(
    "status",
    "name",
    "role",
    "codename",
    "division",
    "specialties",
    "lastActive",
    "last_updated",
    "stats",
    "active_projects",
    "current_task",
)
soul_file = st.lists(
    st.tuples(st.sampled_from(["Name", "Role", "Codename", "Specialties"]), st.text()), max_size=4
)


@settings(max_examples=300)
@given(state_file, state_file, soul_file)
def test_agents_are_told_in_the_shapes_of_the_catalogue(
    old: dict[str, Any], new: dict[str, Any], soul: list[tuple[str, str]]
) -> None:
    text = "\n".join(f"**{label}:** {value}" for label, value in soul).encode(errors="replace")
    known = []
    for state in (old, new):
        try:
            told, _ = shorten(parse_state(text_of(state)))
        except ValueError:
            return
        known.append(Known(state=told, soul=shorten(parse_soul(text))[0]))
    for before, after in ((None, known[0]), (known[0], known[1])):
        change = agents._change("scout", before, after)
        if change is not None:
            check(*change)
