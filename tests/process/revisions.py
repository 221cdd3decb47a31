"""A fleet that writes its workspace as agents, people and runtimes do, and says what anybody who reads it must find."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

AGENTS = ("scout", "forge", "quill", "sentry")
STATUSES = ("online", "busy", "idle", "offline", "waiting for review", "🟢 ACTIVE")
TASK_STATUSES = ("pending", "in_progress", "review", "blocked", "completed")

Object = dict[str, Any]


class Fleet:
    """The workspace below `folder`, in which each revision changes something by chance."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.workspace = folder / "workspace"
        self.openclaw = folder / ".openclaw"
        self._chance = Random(seed)
        self._tick = 0
        self._responses = 0
        self.tokens: dict[str, int] = {}
        self._home = self.workspace / "mission-control"
        self._last_call: dict[Path, str] = {}
        for agent in AGENTS:
            self._set_state(agent, "idle")
        self._write(self._home / "TASK_QUEUE.json", {"tasks": [], "history": [], "nextId": 1})
        self._write(self._home / "data" / "leads.json", [])
        self._write(self.openclaw / "openclaw.json", {"agents": {"list": [{"id": "main"}]}})

    def revise(self, times: int) -> None:
        """Change a few things."""
        revisions: list[tuple[Callable[[], None], int]] = [
            (self._change_state, 4),
            (self._add_task, 3),
            (self._edit_task, 4),
            (self._remove_task, 1),
            (self._add_lead, 2),
            (self._edit_lead, 2),
            (self._remove_lead, 1),
            (self._write_file, 5),
            (self._move_file, 1),
            (self._delete_file, 1),
            (self._respond, 6),
            (self._repeat_response, 1),
            (self._reset_session, 1),
            (self._break_a_file_for_a_moment, 1),
        ]
        kinds = [revision for revision, weight in revisions for _ in range(weight)]
        for _ in range(times):
            self._tick += 1
            self._chance.choice(kinds)()

    # What is to be found.

    def agents(self) -> dict[str, Any]:
        """Return each agent's status as its file has it."""
        return {
            path.parent.name: json.loads(path.read_text())["status"]
            for path in (self._home / "agents").glob("*/state.json")
        }

    def tasks(self) -> dict[str, Object]:
        """Return the tasks of the queue's file by id."""
        return {task["id"]: task for task in self._queue()["tasks"]}

    def leads(self) -> dict[str, Object]:
        """Return the leads by id."""
        return {lead["id"]: lead for lead in json.loads((self._home / "data" / "leads.json").read_text())}

    def gateway(self) -> str:
        """Return the gateway's status as Sentry has it."""
        state: Object = json.loads((self._home / "agents" / "sentry" / "state.json").read_text())
        return str(state["system"]["gatewayStatus"])

    def files(self) -> dict[str, int]:
        """Return the sizes of the files that are told as files, by path."""
        return {
            path.relative_to(self.workspace).as_posix(): path.stat().st_size
            for path in (self.workspace / "notes").rglob("*")
            if path.is_file()
        }

    # The revisions.

    def _change_state(self) -> None:
        self._set_state(self._chance.choice(AGENTS), self._chance.choice(STATUSES))

    def _set_state(self, agent: str, status: str) -> None:
        state: Object = {
            "agent": agent,
            "status": status,
            "lastActive": f"2026-11-23T10:{self._tick // 60 % 60:02}:{self._tick % 60:02}Z",
            "stats": {"tasksCompleted": self._tick},
        }
        if agent == "sentry":
            state["system"] = {"gatewayStatus": self._chance.choice(("running", "running", "degraded"))}
        path = self._home / "agents" / agent / "state.json"
        # Some agents write in place, others replace.
        if self._chance.random() < 0.5 and path.exists():
            path.write_text(json.dumps(state))
        else:
            self._write(path, state)

    def _add_task(self) -> None:
        queue = self._queue()
        number = queue["nextId"]
        queue["nextId"] = number + 1
        queue["tasks"].append(
            {
                "id": f"TASK-{number:04}",
                "description": f"Task number {number}",
                "status": "pending",
                "priority": self._chance.choice(("P0", "P1", "P2", "P3")),
                "assignedTo": "Unassigned",
                "created": self._time(),
                "updated": self._time(),
                "tags": [],
                "effort": self._chance.randint(1, 8),
            }
        )
        self._save_queue(queue)

    def _edit_task(self) -> None:
        queue = self._queue()
        if queue["tasks"]:
            task = self._chance.choice(queue["tasks"])
            field = self._chance.choice(("status", "assignedTo", "notes", "effort"))
            task[field] = {
                "status": self._chance.choice(TASK_STATUSES),
                "assignedTo": self._chance.choice(AGENTS),
                "notes": f"note {self._tick}",
                "effort": self._tick,
            }[field]
            task["updated"] = self._time()
            self._save_queue(queue)

    def _remove_task(self) -> None:
        queue = self._queue()
        if len(queue["tasks"]) > 5:
            queue["tasks"].remove(self._chance.choice(queue["tasks"]))
            self._save_queue(queue)

    def _add_lead(self) -> None:
        leads = list(self.leads().values())
        leads.append({"id": f"lead_{self._tick}", "company": f"Company {self._tick}", "score": 50})
        self._write(self._home / "data" / "leads.json", leads)

    def _edit_lead(self) -> None:
        leads = list(self.leads().values())
        if leads:
            lead = self._chance.choice(leads)
            lead["score" if self._chance.random() < 0.5 else "company"] = self._tick
            self._write(self._home / "data" / "leads.json", leads)

    def _remove_lead(self) -> None:
        leads = list(self.leads().values())
        if len(leads) > 3:
            leads.remove(self._chance.choice(leads))
            self._write(self._home / "data" / "leads.json", leads)

    def _write_file(self) -> None:
        path = (
            self.workspace / "notes" / str(self._chance.randint(0, 3)) / f"{self._chance.randint(0, 20)}.md"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * self._tick)

    def _move_file(self) -> None:
        if found := sorted(self.files()):
            path = self.workspace / self._chance.choice(found)
            path.rename(path.with_name(f"moved-{self._tick}.md"))

    def _delete_file(self) -> None:
        if found := sorted(self.files()):
            (self.workspace / self._chance.choice(found)).unlink()
        elif (self.workspace / "notes").exists():
            shutil.rmtree(self.workspace / "notes")

    def _respond(self) -> None:
        """An agent's runtime writes a turn into its transcript."""
        agent = self._chance.choice(("main", "forge"))
        path = self._transcript(agent)
        self._responses += 1
        input_, output, read = self._tick, self._chance.randint(1, 50), self._chance.randint(0, 1000)
        usage = {"input": input_, "output": output, "cacheRead": read, "cacheWrite": 0}
        message = {
            "role": "assistant",
            "content": [{"type": "text", "text": f"answer {self._tick}"}],
            "provider": "fake",
            "model": "fake-1",
            "usage": {**usage, "totalTokens": input_ + output + read, "cost": {"total": 0.001}},
            "stopReason": "stop",
            "timestamp": 1795395126416 + self._tick,
            "responseId": f"response-{self._responses}",
        }
        line = {
            "type": "message",
            "id": f"{self._responses:08x}",
            "parentId": None,
            "timestamp": self._time(),
        }
        self._append(path, json.dumps({**line, "message": message}))
        self._last_call[path] = json.dumps({**line, "message": message})
        self.tokens[agent] = self.tokens.get(agent, 0) + input_ + output + read

    def _repeat_response(self) -> None:
        """A runtime writes a line that it has written before."""
        path = self._transcript("main")
        if path in self._last_call:
            self._append(path, self._last_call[path])

    def _reset_session(self) -> None:
        path = self._transcript("main")
        time = self._time()[11:19].replace(":", "-")
        path.rename(path.with_name(f"{path.name}.reset.2026-11-23T{time}.000Z"))
        self._last_call.pop(path, None)

    def _break_a_file_for_a_moment(self) -> None:
        """Somebody writes a file in two halves; what is left is whole."""
        path = self._home / "agents" / "forge" / "state.json"
        whole = path.read_text()
        path.write_text(whole[: len(whole) // 2])
        path.write_text(whole)

    # How it is written.

    def _transcript(self, agent: str) -> Path:
        path = self.openclaw / "agents" / agent / "sessions" / "session-1.jsonl"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(path, json.dumps({"type": "session", "version": 3, "id": f"{agent}-{self._tick}"}))
        return path

    def _append(self, path: Path, line: str) -> None:
        with path.open("a") as file:
            # Not always whole at once.
            half = self._chance.randint(0, len(line))
            file.write(line[:half])
            file.flush()
            file.write(line[half:] + "\n")

    def _queue(self) -> Object:
        queue: Object = json.loads((self._home / "TASK_QUEUE.json").read_text())
        return queue

    def _save_queue(self, queue: Object) -> None:
        path = self._home / "TASK_QUEUE.json"
        if self._chance.random() < 0.5:
            path.write_text(json.dumps(queue, indent=2))
        else:
            self._write(path, queue)

    def _time(self) -> str:
        return f"2026-11-23T11:{self._tick // 60 % 60:02}:{self._tick % 60:02}.000Z"

    def _write(self, path: Path, content: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.tmp")
        beside.write_text(json.dumps(content, indent=2))
        os.replace(beside, path)  # noqa: PTH105
