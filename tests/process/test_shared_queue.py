"""Agents edit the queue's file while the API changes it: a read right after a write sees that write."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import pytest

from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

ROUNDS = 250
"""Rounds of each of two agents and two clients."""


class Api:
    """One client with a connection of its own."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._http = http.client.HTTPConnection(str(address.hostname), int(address.port or 0), timeout=30)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body)
        self._http.request(method, path, data, {"content-type": "application/json"} if data else {})
        answer = self._http.getresponse()
        text = answer.read()
        assert answer.status in (200, 201), (method, path, answer.status, text)
        return json.loads(text)

    def close(self) -> None:
        self._http.close()


class Office:
    """The file. Its writers take turns: each reads, writes and checks before the next one writes."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / "mission-control/TASK_QUEUE.json"
        self.path.parent.mkdir(parents=True)
        self.path.write_text('{"tasks": [], "history": [], "nextId": 1}')
        self.turn = threading.Lock()
        self.given: list[str] = []

    def tasks(self) -> dict[str, dict[str, Any]]:
        return {task["id"]: task for task in json.loads(self.path.read_bytes())["tasks"]}

    def history(self) -> dict[str, dict[str, Any]]:
        """Return the entries of tasks that are over, none of which is there twice."""
        whole = json.loads(self.path.read_bytes())
        ids = [entry["id"] for entry in (*whole["tasks"], *whole["history"])]
        assert len(ids) == len(set(ids))
        return {entry["id"]: entry for entry in whole["history"]}

    def replace(self, whole: dict[str, Any]) -> None:
        beside = self.path.with_name("agent.tmp")
        beside.write_text(json.dumps(whole, indent=2))
        beside.rename(self.path)

    def add(self, agent: str, description: str, instead_of: str | None) -> str:
        """Add a task under the file's next id, in the place of another, as an agent does."""
        whole = json.loads(self.path.read_bytes())
        id_ = f"TASK-{whole['nextId']:04}"
        whole["nextId"] += 1
        whole["tasks"] = [task for task in whole["tasks"] if task["id"] != instead_of]
        whole["tasks"].append(
            {
                "id": id_,
                "description": description,
                "status": "pending",
                "priority": "P2",
                "assignedTo": agent,
                "created": f"{agent} {id_}",
            }
        )
        beside = self.path.with_name(f"{agent}.tmp")
        beside.write_text(json.dumps(whole, indent=2))
        beside.rename(self.path)
        self.given.append(id_)
        return id_


def work_as_agent(office: Office, url: str, agent: str) -> None:
    """Write tasks into the file, and ask the API about each at once."""
    with closing(Api(url)) as api:
        id_: str | None = None
        for number in range(ROUNDS):
            description = f"{agent} {number}"
            with office.turn:
                id_ = office.add(agent, description, id_)
            assert api.ask("GET", f"/api/tasks/{id_}")["description"] == description
            with office.turn:
                assert api.ask("PATCH", f"/api/tasks/{id_}", {"notes": description})["assignedTo"] == agent
                assert office.tasks()[id_]["notes"] == description


def work_as_client(office: Office, url: str, name: str) -> None:
    """Add tasks by the API, and read the file at once."""
    with closing(Api(url)) as api:
        before: str | None = None
        for number in range(ROUNDS):
            description = f"{name} {number}"
            with office.turn:
                id_ = api.ask("POST", "/api/tasks", {"description": description})["id"]
                office.given.append(id_)
                assert office.tasks()[id_]["description"] == description
                if before is not None:
                    api.ask("DELETE", f"/api/tasks/{before}")
                    assert before not in office.tasks()
            listed = {task["id"] for task in api.ask("GET", "/api/tasks")["tasks"]}
            assert id_ in listed
            assert before not in listed
            before = id_


def test_a_read_right_after_a_write_sees_it(tmp_path: Path) -> None:
    office = Office(tmp_path / "workspace")
    works: list[tuple[Callable[[Office, str, str], None], str]] = [
        (work_as_agent, "scout"),
        (work_as_agent, "forge"),
        (work_as_client, "one"),
        (work_as_client, "two"),
    ]
    with start_server(tmp_path / "workspace", data=tmp_path / "data") as server:
        with ThreadPoolExecutor(len(works)) as pool:
            for done in [pool.submit(work, office, server.url, name) for work, name in works]:
                done.result()
        assert len(office.given) == len(set(office.given)) == len(works) * ROUNDS
        with closing(Api(server.url)) as api:
            listed = api.ask("GET", "/api/tasks")["tasks"]
            assert {task["id"]: task["description"] for task in listed} == {
                id_: task["description"] for id_, task in office.tasks().items()
            }
            assert len(listed) == len(works)
            alerts = api.ask("GET", "/api/snapshot")["state"]["system"]["alerts"]
        assert [alert for alert in alerts if alert["details"].get("source") == "tasks"] == []


def test_nothing_is_lost_where_agents_and_the_api_take_no_turns(tmp_path: Path) -> None:
    """Two agents take turns with each other, and not with the API: each task is there once, also after collisions."""
    office, chance = Office(tmp_path / "workspace"), random.Random(14)
    wanted: list[str] = []

    def work_as_agent(agent: str) -> None:
        with closing(Api(server.url)) as api:
            for number in range(ROUNDS):
                description = f"{agent} {number}"
                with office.turn:
                    id_ = office.add(agent, description, None)
                    wanted.append(description)
                # It has the id that the agent gave it, or another; in no case is there none of this id.
                assert api.ask("GET", f"/api/tasks/{id_}")
                sleep(chance.random() * 0.01)

    def work_as_client() -> None:
        with closing(Api(server.url)) as api:
            for number in range(ROUNDS):
                description = f"client {number}"
                api.ask("POST", "/api/tasks", {"description": description})
                wanted.append(description)
                sleep(chance.random() * 0.01)

    with start_server(tmp_path / "workspace", data=tmp_path / "data") as server:
        with ThreadPoolExecutor(3) as pool:
            works = [pool.submit(work_as_agent, name) for name in ("scout", "forge")]
            for done in [*works, pool.submit(work_as_client)]:
                done.result()
        with closing(Api(server.url)) as api:
            listed = api.ask("GET", "/api/tasks?limit=1000")["tasks"]
        assert sorted(task["description"] for task in listed) == sorted(wanted)
        assert {task["id"]: task["description"] for task in listed} == {
            id_: task["description"] for id_, task in office.tasks().items()
        }


def test_a_stop_leaves_nothing_unwritten(tmp_path: Path) -> None:
    office = Office(tmp_path / "workspace")
    with start_server(tmp_path / "workspace", data=tmp_path / "data") as server:
        for number in range(3):
            _stop_amid_changes(office, server, number)
            server.start()


def _stop_amid_changes(office: Office, server: ServerProcess, number: int) -> None:
    """Stop a server while tasks are added, directly and as events; whatever was accepted is in the file then."""
    accepted: list[str] = []

    def add() -> None:
        with closing(Api(server.url)) as api:
            for count in range(10_000):
                try:
                    accepted.append(api.ask("POST", "/api/tasks", {"description": f"{number} {count}"})["id"])
                except (AssertionError, OSError, http.client.HTTPException):
                    # The server stops: it refuses, or has closed the connection.
                    return

    adding = threading.Thread(target=add)
    adding.start()
    deadline = monotonic() + 10
    while len(accepted) < 3 and monotonic() < deadline:
        sleep(0.005)
    with closing(Api(server.url)) as api:
        id_ = accepted[0]
        updates = {"notes": f"published {number}"}
        api.ask("POST", "/api/events", {"type": "task:updated", "data": {"taskId": id_, "updates": updates}})
        began = monotonic()
        assert server.stop() == 0
        assert monotonic() - began < 10
    adding.join()
    tasks = office.tasks()
    assert set(accepted) <= tasks.keys()
    assert tasks[id_]["notes"] == updates["notes"]


def test_a_task_that_is_over_is_in_the_history_of_the_file(tmp_path: Path) -> None:
    office = Office(tmp_path / "workspace")
    with (
        start_server(tmp_path / "workspace", data=tmp_path / "data") as server,
        closing(Api(server.url)) as api,
    ):
        for status in ("completed", "cancelled"):
            id_ = api.ask("POST", "/api/tasks", {"description": status})["id"]
            over = api.ask("PUT", f"/api/tasks/{id_}", {"status": status})
            entry = office.history()[id_]
            assert entry == {**over, "archived": entry["archived"]}
            assert entry["archived"].endswith("Z")
            assert api.ask("GET", f"/api/tasks/{id_}") == over
        exported = api.ask("GET", "/api/export/tasks")
        assert (exported["tasks"], len(exported["history"])) == ([], 2)
        summary = api.ask("GET", "/api/tasks/summary")
        assert (summary["completed"], summary["archived"]) == (1, 0)
        assert api.ask("DELETE", "/api/tasks/TASK-0001")
        assert office.history().keys() == {"TASK-0002"}


@pytest.mark.parametrize("hours", [0, 24])
def test_no_entry_of_the_history_is_lost_over_old_copies_and_kills(tmp_path: Path, hours: int) -> None:
    """Three agents write back copies of any age while tasks are completed and opened, and the server is killed."""
    office, chance = Office(tmp_path / "workspace"), random.Random(hours)
    config = tmp_path / "config.toml"
    config.write_text(f"[tasks]\nkeep_completed_hours = {hours}\n")
    over: set[str] = set()
    opened: set[str] = set()
    with start_server(
        tmp_path / "workspace", data=tmp_path / "data", options=["--config", str(config)]
    ) as server:
        api = Api(server.url)
        own = [api.ask("POST", "/api/tasks", {"description": f"agent {number}"})["id"] for number in range(3)]
        copies = [json.loads(office.path.read_bytes()) for _ in own]
        for number in range(90):
            agent = chance.randrange(3)
            if number % 15 == 14:
                api.close()
                server.kill()
                server.start()
                api = Api(server.url)
            elif number % 3 == 0:
                copy = copies[agent]
                next(task for task in copy["tasks"] if task["id"] == own[agent])["notes"] = f"note {number}"
                office.replace(copy)
                assert api.ask("GET", f"/api/tasks/{own[agent]}")["notes"] == f"note {number}"
            elif number % 3 == 1:
                id_ = api.ask("POST", "/api/tasks", {"description": f"task {number}"})["id"]
                opened.add(id_)
            elif opened:
                id_ = chance.choice(sorted(opened))
                api.ask("PATCH", f"/api/tasks/{id_}", {"status": chance.choice(["completed", "cancelled"])})
                opened.discard(id_)
                over.add(id_)
                assert id_ in office.history()
            if chance.random() < 0.2:
                copies[agent] = json.loads(office.path.read_bytes())
        # The last change is written with all that an old copy lacked.
        api.ask("PATCH", f"/api/tasks/{own[0]}", {"notes": "last"})
        assert office.history().keys() == over
        assert office.tasks().keys() == opened | set(own)
        listed = {task["id"] for task in api.ask("GET", "/api/tasks?limit=500")["tasks"]}
        assert listed - over == opened | set(own)
        assert api.ask("GET", "/api/tasks/summary")["completed"] == sum(
            entry["status"] == "completed" for entry in office.history().values()
        )
        deadline = monotonic() + 10
        while hours == 0 and listed & over and monotonic() < deadline:
            listed = {task["id"] for task in api.ask("GET", "/api/tasks?limit=500")["tasks"]}
        assert listed & over == (set() if hours == 0 else over)
        api.close()
