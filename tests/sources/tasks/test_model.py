"""Any course of edits, here and by agents with copies of any age, with the process killed anywhere: nothing is lost."""

from __future__ import annotations

import copy
import json
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sources.tasks.desk import root, task

from missioncontrol.events import Record, rfc3339
from missioncontrol.sources.tasks.document import Document
from missioncontrol.sources.tasks.ids import Ids
from missioncontrol.sources.tasks.past import Past
from missioncontrol.sources.tasks.plan import Plan, agree
from missioncontrol.sources.tasks.reading import read_queue
from missioncontrol.sources.tasks.task import Task
from missioncontrol.state import FleetState

FIELDS = ("description", "notes", "status", "due", "x")
AGENTS = 3


class Agent:
    """Somebody with a copy, who knows what he has changed in it since it was the file."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self.reads(whole)

    def reads(self, whole: dict[str, Any]) -> None:
        self.root = copy.deepcopy(whole)
        self.others: set[tuple[str, str]] = set()
        self.came: set[str] = set()
        self.known = {one["id"] for one in whole["tasks"]}
        self.deleted: set[str] = set()
        self.agreed()

    def agreed(self) -> None:
        """Take his edits as done; what others have done, he still does not know."""
        self.fields: set[tuple[str, str]] = set()
        self.added: list[Task] = []

    @property
    def edited(self) -> bool:
        return bool(self.fields or self.deleted or self.added)

    @property
    def old(self) -> list[Task]:
        return [task for task in self.root["tasks"] if task not in self.added]


class Model:
    """State, file and past, without a clock and a disk."""

    def __init__(self, tasks: int) -> None:
        self.fold = FleetState()
        self.state = self.fold.table("tasks")
        self.memory: dict[str, bytes] = {}
        self.text = json.dumps(root(*(task(number) for number in range(1, tasks + 1)))).encode()
        self.time = count(1_800_000_000_000, 1000)
        self.value = (f"value {number}" for number in count())
        self.number = count(1)
        self.start()
        self.reconcile()
        self.agents = [Agent(self.root) for _ in range(AGENTS)]

    @property
    def root(self) -> dict[str, Any]:
        whole: dict[str, Any] = json.loads(self.text)
        return whole

    def start(self) -> None:
        """Begin with what is remembered, as after a `kill -9`."""
        self.past, self.ids = Past(), Ids(self.state.keys())
        self.past.recall(self.memory)
        self.ids.recall(self.memory)

    def tell(self, type_: str, data: dict[str, Any]) -> None:
        id_ = self.fold.id + 1
        self.fold.apply([Record(id_, type_, 0, json.dumps(data).encode(), data)])

    def now(self) -> str:
        return rfc3339(next(self.time)).decode()

    def reconcile(self, *, killed_after: int | None = None) -> Plan:
        """Bring both in step; or only tell the first so many events of it, and be killed."""
        read = read_queue(self.text)
        plan = agree(self.past, self.ids, dict(self.state), read)
        changes = self.past.changes()
        self._remember(self.ids.changes())
        for number, (id_, told) in enumerate(plan.told.items()):
            if number == killed_after:
                self.start()
                return plan
            for event in told:
                self.tell(event.type, event.data)
            self._remember({key: value for key, value in changes.items() if key == self.past.key(id_)})
        self._remember({**changes, **self.past.counter()})
        if killed_after is not None:
            self.start()
            return plan
        if plan.edits:
            assert read.document is not None
            self.text = read.document.edited(plan.edits)
        self.past.reached()
        return plan

    def _remember(self, changes: dict[str, bytes | None]) -> None:
        for key, value in changes.items():
            if value is None:
                self.memory.pop(key, None)
            else:
                self.memory[key] = value

    # What happens.

    def edit_here(self, data: st.DataObject) -> None:
        if not self.state:
            return
        id_ = data.draw(st.sampled_from(sorted(self.state)))
        name = data.draw(st.sampled_from(FIELDS))
        self.tell("task:updated", {"taskId": id_, "updates": {name: next(self.value), "updated": self.now()}})
        for agent in self.agents:
            agent.others.add((id_, name))

    def create_here(self, data: st.DataObject) -> None:
        self.ids.above(self.state)
        id_, time = self.ids.new(), self.now()
        new = task(0, id=id_, description=next(self.value), created=time, updated=time)
        self.tell("task:created", {"task": new})
        for agent in self.agents:
            agent.came.add(id_)

    def delete_here(self, data: st.DataObject) -> None:
        if self.state:
            self.tell("task:deleted", {"taskId": data.draw(st.sampled_from(sorted(self.state)))})

    def read_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        agent.reads(self.root)
        # What has not been written yet, he has not seen.
        file = {one["id"]: one for one in agent.root["tasks"]}
        agent.came = set(self.state.keys() - file.keys())
        for id_ in self.state.keys() & file.keys():
            agent.others |= {
                (id_, name) for name in FIELDS if self.state[id_].get(name) != file[id_].get(name)
            }

    def _agent(self, data: st.DataObject) -> Agent:
        return self.agents[data.draw(st.integers(0, AGENTS - 1), "agent")]

    def edit_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        old = agent.old
        if not old:
            return
        one = old[data.draw(st.integers(0, len(old) - 1), "task")]
        name = data.draw(st.sampled_from(FIELDS))
        one[name] = next(self.value)
        if data.draw(st.booleans()):
            one["updated"] = self.now()
        agent.fields.add((one["id"], name))

    def add_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        number = agent.root["nextId"]
        time = self.now()
        new = task(number, description=next(self.value), created=time, updated=time, mark=next(self.number))
        agent.root["tasks"].append(new)
        agent.added.append(new)
        agent.root["nextId"] = number + 1

    def delete_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        old = agent.old
        if not old:
            return
        one = old[data.draw(st.integers(0, len(old) - 1), "task")]
        agent.root["tasks"].remove(one)
        agent.fields = {(id_, name) for id_, name in agent.fields if id_ != one["id"]}
        agent.deleted.add(one["id"])
        agent.came.discard(one["id"])

    def write_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        if not agent.edited:
            return
        copies = {one["id"]: one for one in agent.root["tasks"]}
        before = copy.deepcopy(dict(self.state))
        self.text = json.dumps(agent.root, indent=1).encode()
        conflicts: dict[str, set[str]] = {}
        while True:
            killed_after = data.draw(st.sampled_from([None, None, 0, 1, 2, 9]), "killed after")
            plan = self.reconcile(killed_after=killed_after)
            for id_, found in plan.conflicts.items():
                conflicts.setdefault(id_, set()).update(one.field for one in found)
            if killed_after is None:
                break
        state = dict(self.state)
        # Nobody's new task is lost, and none comes twice.
        marks = [one["mark"] for one in state.values() if "mark" in one]
        assert len(marks) == len(set(marks))
        assert {one["mark"] for one in agent.added} <= set(marks)
        assert before.keys() - agent.deleted <= state.keys()
        assert agent.came & before.keys() <= state.keys()
        # What others have changed stands as it did, and what the agent has changed, as he wants it.
        for id_, old in before.items():
            if id_ not in state:
                continue
            for name in FIELDS:
                by_agent, by_others = (id_, name) in agent.fields, (id_, name) in agent.others
                if not by_agent:
                    assert state[id_].get(name) == old.get(name), (id_, name)
                elif not by_others:
                    assert state[id_].get(name) == copies[id_].get(name), (id_, name)
                else:
                    assert state[id_].get(name) in (old.get(name), copies[id_].get(name))
                    assert state[id_].get(name) == copies[id_].get(name) or name in conflicts.get(id_, ())
        # The others see all this as somebody else's work.
        for other in self.agents:
            if other is not agent:
                other.others |= agent.fields
                other.came |= state.keys() - before.keys() - other.known
        renumbered = any(state.get(one["id"], {}).get("mark") != one["mark"] for one in agent.added)
        agent.agreed()
        self.in_step()
        if renumbered:
            agent.reads(self.root)

    def write_here(self, data: st.DataObject) -> None:
        self.reconcile()
        self.in_step()

    def in_step(self) -> None:
        read = read_queue(self.text)
        assert {str(entry.id): entry.task for entry in read.entries} == dict(self.state)
        assert Document(self.text).next_id == self.ids.next
        events = self.fold.id
        self.reconcile()
        assert self.fold.id == events


ACTIONS = (
    "edit_here",
    "create_here",
    "delete_here",
    "write_here",
    "read_by_agent",
    "edit_by_agent",
    "add_by_agent",
    "delete_by_agent",
    "write_by_agent",
    "write_by_agent",
)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.integers(0, 4), st.lists(st.sampled_from(ACTIONS), max_size=25), st.data())
def test_nothing_is_lost_in_any_course_of_edits(tasks: int, actions: list[str], data: st.DataObject) -> None:
    model = Model(tasks)
    for action in actions:
        getattr(model, action)(data)
    model.reconcile()
    model.in_step()
