"""Any course of edits, here and by agents with copies of any age, with the process killed anywhere: nothing is lost."""

from __future__ import annotations

import copy
import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fleet.tasks.desk import root, task

from missioncontrol.events import Record, rfc3339
from missioncontrol.fleet.tasks.document import Document
from missioncontrol.fleet.tasks.entries import task_over
from missioncontrol.fleet.tasks.ids import Ids
from missioncontrol.fleet.tasks.plan import Plan, agree
from missioncontrol.fleet.tasks.reading import Copy, copy_of, read_queue
from missioncontrol.fleet.tasks.revisions import RevisionHistory
from missioncontrol.fleet.tasks.task import CLOSED, Task, task_ids
from missioncontrol.state import FleetState

FIELDS = ("description", "notes", "status", "due", "x")
WORDS = ("pending", "review", "completed", "cancelled")
AGENTS = 3
NO_ID = "no id "
"""How the ids begin that tasks without an id have in the model."""
FOREIGN = {"id": "OLD-1", "description": "Of the time before", "status": "done", "archived": "2020"}
"""An entry of the history that the state never had."""


def is_over(task: Task) -> bool:
    return task.get("status") in CLOSED


def tasks_of(whole: dict[str, Any]) -> dict[str, Task]:
    """Return the tasks that a file has, in either of its lists, as the state has them."""
    over = [one for one in whole["history"] if one["id"] != FOREIGN["id"]]
    return {
        **{one["id"]: one for one in whole["tasks"]},
        **{one["id"]: task_over(one, one["id"], None) for one in over},
    }


def written(whole: dict[str, Any]) -> dict[str, Any]:
    """Return a copy as its agent writes it: tasks that have no id have an id in the model alone."""
    tasks = [{**one} for one in whole["tasks"]]
    for one in tasks:
        if one["id"].startswith(NO_ID):
            del one["id"]
    return {**whole, "tasks": tasks}


class Agent:
    """Somebody with a copy, who knows what he has changed in it since it was the file."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self.reads(whole)

    def reads(self, whole: dict[str, Any]) -> None:
        self.root = copy.deepcopy(whole)
        self.others: set[tuple[str, str]] = set()
        self.came: set[str] = set()
        self.known = set(tasks_of(whole))
        self.deleted: set[str] = set()
        # The ids that the file has for his tasks, where he goes on with others.
        self.names: dict[str, str] = {}
        self.agreed()

    def name(self, id_: str) -> str:
        """Return the id that the file has for a task of his copy."""
        return self.names.get(id_, id_)

    def agreed(self) -> None:
        """Take his edits as done; what others have done, he still does not know."""
        self.fields: set[tuple[str, str]] = set()
        self.added: list[Task] = []
        self.statuses = {id_: one.get("status") for id_, one in tasks_of(self.root).items()}

    @property
    def edited(self) -> bool:
        return bool(self.fields or self.deleted or self.added)

    @property
    def old(self) -> list[Task]:
        over = [one for one in self.root["history"] if one["id"] != FOREIGN["id"]]
        return [task for task in (*self.root["tasks"], *over) if task not in self.added]

    def is_archived(self, one: Task) -> bool:
        return any(one is entry for entry in self.root["history"])

    def moves(self, one: Task, target: str) -> None:
        """Move a task to a list of the file by hand."""
        for name in ("tasks", "history"):
            self.root[name] = [other for other in self.root[name] if other is not one]
        one.pop("archived", None)
        self.root[target].append(one)

    def notes_status(self, id_: str) -> None:
        """Note whether the status of a task is another one than before."""
        before, now = self.statuses.get(id_), tasks_of(self.root)[id_].get("status")
        (self.fields.discard if before == now else self.fields.add)((id_, "status"))


def _sorted(text: bytes) -> dict[str, Any]:
    """Return a queue with its tasks by id: in which order new ones are added is left open."""
    whole: dict[str, Any] = json.loads(text)
    lists = {name: sorted(whole[name], key=lambda one: str(one["id"])) for name in ("tasks", "history")}
    return {**whole, **lists}


class Model:
    """State, file and past, without a clock and a disk."""

    def __init__(self, tasks: int) -> None:
        self.fold = FleetState()
        self.state = self.fold.table("tasks")
        self.memory: dict[str, bytes] = {}
        first = root(*(task(number) for number in range(1, tasks + 1)), history=[FOREIGN])
        self.text = json.dumps(first).encode()
        self.at = 1
        self.moves: set[str] = set()
        self.time = count(1_800_000_000_123, 1000)
        self.value = (f"value {number}" for number in count())
        self.number = count(1)
        self.start()
        self.reconcile()
        self.agents = [Agent(self.root) for _ in range(AGENTS)]

    @property
    def whole(self) -> dict[str, Task]:
        """The tasks of the state, and those that it let go of."""
        return {**self.past.let_go_tasks(), **self.state}

    @property
    def root(self) -> dict[str, Any]:
        whole: dict[str, Any] = json.loads(self.text)
        return whole

    def start(self) -> None:
        """Begin with what is remembered, as after a `kill -9`."""
        self.past, self.ids = RevisionHistory(), Ids(self.state.keys())
        self.past.recall(self.memory)
        self.ids.recall(self.memory, self.past.content)
        # What may differ between file, state and past, as `Sync` keeps it; None: all may.
        self.copy: Copy | None = None
        self.differing: set[str] | None = None

    def tell(self, type_: str, data: dict[str, Any]) -> None:
        id_ = self.fold.id + 1
        self.fold.apply([Record(id_, type_, 0, json.dumps(data).encode(), data)])
        if self.differing is not None:
            self.differing.update(task_ids(type_, data))

    def now(self) -> str:
        return rfc3339(next(self.time)).decode()

    def reconcile(self, *, killed_after: int | None = None, shown_to: Agent | None = None) -> Plan:
        """Bring both in step; or only tell the first so many events of it, and be killed.

        With `shown_to` the file cannot be left as it is to be, but this agent has read it.
        """
        self.at += 1
        read = self.copy = read_queue(self.text, self.copy)
        if read.changed is None:
            self.differing = None
        let_go = set(self.past.let_go_tasks())
        plan = self._agree(read)
        assert not any(is_over(plan.tasks[id_]) for id_ in let_go & plan.events.keys() & plan.tasks.keys())
        changes = self.past.changes()
        self.differing = set()
        self._remember(self.ids.changes())
        for number, (id_, told) in enumerate(plan.events.items()):
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
            document = read.document.with_edits(plan.edits)
            if shown_to is not None:
                self._reads(shown_to, json.loads(b"".join(document.parts())))
                self.differing = {*self.past.ahead, *plan.renamed}
                self.past.reached()
                self._remember(self.past.counter())
                return plan
            self.text = b"".join(document.parts())
            self.copy = copy_of(document, read)
            if self.copy.changed is None:
                self.differing = None
        self.past.reached()
        self.moves = set()
        return plan

    def _agree(self, read: Copy) -> Plan:
        """Agree about what may differ, and check that the same comes of agreeing about everything."""
        past, ids, state = copy.deepcopy(self.past), Ids(self.state.keys()), dict(self.state)
        ids._given, ids._unseen = copy.deepcopy((self.ids._given, self.ids._unseen))
        ids.aliases = copy.deepcopy(self.ids.aliases)
        ids.next = self.ids.next
        among = None
        if self.differing is not None and read.changed is not None:
            among = {*self.differing, *read.changed, *self.past.ahead, *read.left, *self.moves}
            # What came and went since the last time is not given to another task.
            ids.above(among)
        fresh = read_queue(self.text)
        whole, anew = agree(past, ids, state, fresh, at=self.at, moves=self.moves), fresh.document
        plan = agree(self.past, self.ids, self.state, read, among=among, at=self.at, moves=self.moves)
        assert plan.events == whole.events
        assert plan.conflicts == whole.conflicts
        assert anew is not None
        assert read.document is not None
        assert _sorted(read.document.edited(plan.edits)) == _sorted(anew.edited(whole.edits))
        assert copy.deepcopy(self.past).changes() == past.changes()
        assert self.ids.next == ids.next
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
        value = data.draw(st.sampled_from(WORDS)) if name == "status" else next(self.value)
        self.tell("task:updated", {"taskId": id_, "updates": {name: value, "updated": self.now()}})
        for agent in self.agents:
            agent.others.add((id_, name))

    def complete_here(self, data: st.DataObject) -> None:
        if not self.state:
            return
        id_ = data.draw(st.sampled_from(sorted(self.state)))
        updates = {"status": data.draw(st.sampled_from(WORDS[1:])), "updated": self.now()}
        self.tell("task:completed", {"taskId": id_, "updates": updates})
        for agent in self.agents:
            agent.others.add((id_, "status"))

    def move_here(self, data: st.DataObject) -> None:
        """Have tasks that agents have completed in the file move into its history."""
        self.moves = {one["id"] for one in self.root["tasks"] if is_over(one)}
        self.reconcile()
        assert not any(is_over(one) for one in self.root["tasks"] if one["id"] in self.state)

    def let_go(self, data: st.DataObject) -> None:
        """Let go of tasks that are in the history, in one transaction with what is remembered of them."""
        self.reconcile()
        there = sorted({one["id"] for one in self.root["history"]} & self.state.keys())
        ids = data.draw(st.lists(st.sampled_from(there), unique=True)) if there else []
        for id_ in ids:
            self.past.let_go([id_])
            self.tell("task:deleted", {"taskId": id_, "archived": True})
            self._remember(self.past.changes())
        assert self.state.keys().isdisjoint(ids)

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
        self._reads(self._agent(data), self.root)

    def _reads(self, agent: Agent, root: dict[str, Any]) -> None:
        agent.reads(root)
        # What has not been written yet, he has not seen.
        file, whole = tasks_of(agent.root), self.whole
        agent.came = set(whole.keys() - file.keys())
        for id_ in whole.keys() & file.keys():
            agent.others |= {(id_, name) for name in FIELDS if whole[id_].get(name) != file[id_].get(name)}

    def share_by_agent(self, data: st.DataObject) -> None:
        """Have an agent go on with the copy of another, as one does who has read what that has written."""
        agent = self._agent(data)
        if not agent.edited:
            self.agents[data.draw(st.integers(0, AGENTS - 1), "to")] = copy.deepcopy(agent)

    def fail_here(self, data: st.DataObject) -> None:
        """Have the file written by an agent again at once, after another has read what was put in its place."""
        self.reconcile(shown_to=self._agent(data))

    def _agent(self, data: st.DataObject) -> Agent:
        return self.agents[data.draw(st.integers(0, AGENTS - 1), "agent")]

    def edit_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        old = agent.old
        if not old:
            return
        one = old[data.draw(st.integers(0, len(old) - 1), "task")]
        name = data.draw(st.sampled_from(FIELDS))
        if name == "status":
            self._set_status(agent, one, data)
            name = "x"
        one[name] = next(self.value)
        if data.draw(st.booleans()):
            one["updated"] = self.now()
        agent.fields.add((one["id"], name))

    def _set_status(self, agent: Agent, one: Task, data: st.DataObject) -> None:
        """Complete, cancel or open a task; where it is over, it may be moved into the history or not."""
        one["status"] = data.draw(st.sampled_from(WORDS), "status")
        if not is_over(one):
            if agent.is_archived(one):
                agent.moves(one, "tasks")
        elif one["id"].startswith(NO_ID):
            pass
        elif not agent.is_archived(one) and data.draw(st.booleans(), "moves it"):
            agent.moves(one, "history")
        agent.notes_status(one["id"])

    def move_by_agent(self, data: st.DataObject) -> None:
        """Complete a task by moving it into the history, whatever its status is."""
        agent = self._agent(data)
        open_ = [one for one in agent.old if not agent.is_archived(one) and not one["id"].startswith(NO_ID)]
        if open_:
            one = open_[data.draw(st.integers(0, len(open_) - 1), "task")]
            agent.moves(one, "history")
            one["x"] = next(self.value)
            agent.fields.add((one["id"], "x"))
            agent.notes_status(one["id"])

    def add_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        number = agent.root["nextId"]
        time = self.now()
        new = task(number, description=next(self.value), created=time, updated=time, mark=next(self.number))
        agent.root["tasks"].append(new)
        agent.added.append(new)
        agent.root["nextId"] = number + 1

    def add_without_id_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        number, time = next(self.number), self.now()
        new = task(
            0, id=f"{NO_ID}{number}", description=next(self.value), created=time, updated=time, mark=number
        )
        agent.root["tasks"].append(new)
        agent.added.append(new)

    def delete_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        old = agent.old
        if not old:
            return
        one = old[data.draw(st.integers(0, len(old) - 1), "task")]
        for name in ("tasks", "history"):
            agent.root[name] = [other for other in agent.root[name] if other is not one]
        agent.fields = {(id_, name) for id_, name in agent.fields if id_ != one["id"]}
        agent.deleted.add(agent.name(one["id"]))
        agent.came.discard(agent.name(one["id"]))

    def write_by_agent(self, data: st.DataObject) -> None:
        agent = self._agent(data)
        if not agent.edited:
            return
        own = tasks_of(agent.root)
        before = copy.deepcopy(self.whole)
        self.text = json.dumps(written(agent.root), indent=1).encode()
        conflicts: dict[str, set[str]] = {}
        while True:
            killed_after = data.draw(st.sampled_from([None, None, 0, 1, 2, 9]), "killed after")
            shown_to = None
            has_ids = all("id" in one for one in self.root["tasks"])
            if killed_after is None and has_ids and data.draw(st.booleans(), "cannot be written"):
                shown_to = Agent(self.root)
            plan = self.reconcile(killed_after=killed_after, shown_to=shown_to)
            for id_, found in plan.conflicts.items():
                conflicts.setdefault(id_, set()).update(one.field for one in found)
            if killed_after is None and shown_to is None:
                break
        state = self.whole
        marked = {one["mark"]: id_ for id_, one in state.items() if "mark" in one}
        for one in agent.added:
            if marked.get(one["mark"]) != one["id"]:
                agent.names[one["id"]] = marked.get(one["mark"], "lost")
        copies = {agent.name(id_): one for id_, one in own.items()}
        fields = {(agent.name(id_), name) for id_, name in agent.fields}
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
                by_agent, by_others = (id_, name) in fields, (id_, name) in agent.others
                if not by_agent:
                    assert state[id_].get(name) == old.get(name), (id_, name)
                elif not by_others:
                    assert state[id_].get(name) == copies[id_].get(name), (id_, name)
                else:
                    assert state[id_].get(name) in (old.get(name), copies[id_].get(name))
                    if name == "status" and copies[id_].get(name) in WORDS:
                        # The task may have had that before: then it cannot be seen who has set it.
                        continue
                    assert state[id_].get(name) == copies[id_].get(name) or name in conflicts.get(id_, ())
        # The others see all this as somebody else's work.
        for other in self.agents:
            if other is not agent:
                other.others |= fields
                other.came |= state.keys() - before.keys() - other.known
        agent.agreed()
        self.in_step()
        again = bool(agent.names) and data.draw(st.booleans(), "reads it again")
        if again:
            agent.reads(self.root)

    def write_here(self, data: st.DataObject) -> None:
        self.reconcile()
        self.in_step()

    def in_step(self) -> None:
        root, whole = self.root, self.whole
        assert tasks_of(root) == whole
        # No entry of the history is lost or doubled, and no task is in both lists.
        ids = [one["id"] for one in (*root["tasks"], *root["history"])]
        assert len(ids) == len(set(ids)) == len(whole) + 1
        assert FOREIGN in root["history"]
        assert self.state.keys().isdisjoint(self.past.let_go_tasks())
        assert all(is_over(one) for one in self.past.let_go_tasks().values())
        assert all(is_over(whole[one["id"]]) for one in root["history"] if one != FOREIGN)
        assert Document(self.text).next_id == self.ids.next
        events = self.fold.id
        self.reconcile()
        assert self.fold.id == events


ACTIONS = (
    "edit_here",
    "complete_here",
    "complete_here",
    "move_here",
    "let_go",
    "move_by_agent",
    "create_here",
    "delete_here",
    "write_here",
    "read_by_agent",
    "edit_by_agent",
    "add_by_agent",
    "add_without_id_by_agent",
    "delete_by_agent",
    "share_by_agent",
    "fail_here",
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


class Drawn:
    """Stands in for what Hypothesis draws: these values, and then `False`."""

    def __init__(self, *values: Any) -> None:
        self._values = iter(values)

    def draw(self, strategy: object, label: str | None = None) -> Any:
        return next(self._values, False)


def test_a_collision_that_was_cut_short_says_nothing_of_the_copy() -> None:
    """The content of the file in which a task had another's id was not remembered: its number is another's."""
    model = Model(2)
    values = ("TASK-0001", "completed", 0, 0, "notes", False, 0, 0, 0, None, False)
    data = _drawn("TASK-0001", "description", *values)
    for action in (
        "edit_here",
        "complete_here",
        "write_here",
        "edit_by_agent",
        "add_by_agent",
        "create_here",
    ):
        getattr(model, action)(data)
    model.write_by_agent(data)
    assert model.state["TASK-0001"]["status"] == "completed"
    assert len(model.state) == 4


@pytest.mark.parametrize("killed_after", [None, 1])
def test_a_task_without_an_id_stays_one_where_its_author_gives_its_id_to_another(
    killed_after: int | None,
) -> None:
    model = Model(1)
    model.add_without_id_by_agent(_drawn(0))
    model.write_by_agent(_drawn(0, None))
    model.add_by_agent(_drawn(0))
    model.write_by_agent(_drawn(0, killed_after, None))
    assert [one.get("mark") for one in model.state.values()] == [None, 1, 2]


def _drawn(*values: Any) -> Any:
    return Drawn(*values)
