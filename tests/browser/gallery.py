"""Pictures of the whole dashboard, to be looked at: `make gallery` writes them into `gallery/`.

The fleet is made up, but everything that is shown went through a real workspace, a real server and real Chromium.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from time import time
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, Route, sync_playwright

from missioncontrol.testing import ServerProcess, start_server

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}
NAMES = (
    "Scout",
    "Forge",
    "Pixel",
    "Quill",
    "Ada",
    "Nexus",
    "Herald",
    "Cipher",
    "Echo",
    "Atlas",
    "Ledger",
    "Sentry",
)
ROLES = ("Researcher", "Builder", "Designer", "Writer", "Analyst", "Coordinator")
STATUSES = ("busy", "busy", "busy", "idle", "idle", "online", "waiting for approval", "error", "offline")
WORK = (
    "Review the importer",
    "Check the licences",
    "Draft the release notes",
    "Match the invoices",
    "Plan the week",
)
VIEWS = (
    "tasks",
    "tasks/TASK-0003",
    "tokens",
    "leads",
    "files",
    "events",
    "alerts",
    "questions",
    "search/review",
    "agents",
    "agents/scout",
    "sessions/scout-main",
    "ledger",
    "standups",
    "archive",
    "logs",
    "settings",
)


def furnish(workspace: Path, agents: int) -> None:
    """Write a workspace for so many agents, with tasks and leads."""
    chance = Random(agents)
    for number in range(agents):
        name = NAMES[number % len(NAMES)]
        again = number // len(NAMES)
        folder = workspace / "agents" / (f"{name}-{again}" if again else name).lower()
        folder.mkdir(parents=True)
        status = STATUSES[number % len(STATUSES)] if agents > 1 else "busy"
        state = {"status": status, "current_task": {"description": chance.choice(WORK)}}
        (folder / "state.json").write_text(json.dumps(state))
        title = f"{name} {again + 1}" if again else name
        (folder / "SOUL.md").write_text(
            f"**Name:** {title}\n**Role:** {chance.choice(ROLES)}\n**Division:** Operations\n"
        )
        (folder / "notes.md").write_text("# Notes\n")
    if agents:
        put(
            workspace,
            "mission-control/TASK_QUEUE.json",
            {"tasks": [*tasks(agents)], "history": [], "nextId": 40},
        )
        put(workspace, "mission-control/data/leads.json", [*leads()])
        write_transcript(workspace.parent / "agents/scout/sessions/scout-main.jsonl")


def write_transcript(path: Path) -> None:
    """Write what was said in a session of OpenClaw; its last turn goes on."""
    path.parent.mkdir(parents=True)
    call = {
        "type": "toolCall",
        "id": "1",
        "name": "exec",
        "arguments": {"command": "rg -n retry src/importer"},
    }
    found = "src/importer/client.py:41: def fetch(url, retry=3):\nsrc/importer/client.py:77: retry -= 1\n" * 3
    read = {"type": "toolCall", "id": "2", "name": "read", "arguments": {"path": "src/importer/client.py"}}
    said: tuple[tuple[str, Any], ...] = (
        ("user", "Review the importer: since Friday it gives up on slow servers."),
        (
            "assistant",
            [{"type": "thinking", "thinking": "Where does it decide to give up? Look for retries."}],
        ),
        ("assistant", [{"type": "text", "text": "I look at how it tries again."}, call]),
        ("toolResult", found),
        ("assistant", [{"type": "text", "text": "Three tries without a pause between them. That is why."}]),
        ("user", "Give it a pause that doubles, and a test."),
        ("assistant", [{"type": "text", "text": "A pause of 0.5 s that doubles up to 30 s."}, read]),
        ("toolResult", "1\timport time\n2\t\n3\tfrom importer.errors import GaveUp\n" * 4),
    )
    began = time() - 900
    entries: list[dict[str, Any]] = [{"type": "session", "version": 3, "id": path.stem}]
    for number, (role, content) in enumerate(said):
        message = {"role": role, "content": content, "toolCallId": "1" if number < 4 else "2"}
        entry = {"type": "message", "id": f"m{number}", "timestamp": (began + 100 * number) * 1000}
        entries.append({**entry, "message": message})
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))


def put(workspace: Path, path: str, content: Any) -> None:
    """Write a file of JSON."""
    (workspace / path).parent.mkdir(parents=True, exist_ok=True)
    (workspace / path).write_text(json.dumps(content, indent=2))


def tasks(agents: int) -> Iterator[dict[str, Any]]:
    """Make a board's worth of tasks."""
    statuses = ("pending", "pending", "in_progress", "in_progress", "review", "blocked", "completed")
    for number in range(1, 25):
        yield {
            "id": f"TASK-{number:04}",
            "description": WORK[number % len(WORK)],
            "status": statuses[number % len(statuses)],
            "priority": f"P{number % 4}",
            "assignedTo": NAMES[number % min(agents, len(NAMES))].lower() if number % 3 else "Unassigned",
            "created": "2026-11-20T10:00:00.000Z",
            "updated": "2026-11-20T10:00:00.000Z",
            "subtasks": [{"id": "1", "description": "Read it", "status": "completed"}],
        }


def leads() -> Iterator[dict[str, Any]]:
    """Make some leads."""
    for number, company in enumerate(("Northwind", "Aster & Co.", "Blue Harbour", "Kite Labs", "Mill Lane")):
        factors = {"size": 30 - 4 * number, "fit": 40 - 3 * number, "timing": 12}
        yield {"id": f"lead-{number}", "company": company, "score": sum(factors.values()), "factors": factors}


MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "gpt-5.1-codex", "claude-haiku-4-5")


HOSTS = ("alpha", "build-farm", "edge-oslo", "gpu-01", "gpu-02", "laptop-mira")


def campus(sizes: Iterable[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tell of a fleet with so many agents on each of some hosts; on all of them one is called Scout."""
    chance = Random(len(HOSTS))
    for place, (host, size) in enumerate(zip(HOSTS, sizes, strict=False)):
        agents = [
            {
                "id": f"{NAMES[number].lower()}@{host}",
                "name": NAMES[number],
                "host": host,
                "role": chance.choice(ROLES),
                "status": STATUSES[(2 * number + 3 * place) % len(STATUSES)],
                "currentTask": {"description": chance.choice(WORK)},
                "confirmed": datetime.now().astimezone().isoformat(),
            }
            for number in range(size)
        ]
        for one in agents:
            yield "agent:statusChange", {"agentId": one["id"], "status": one["status"], "agent": one}
        given = [
            {**task, "id": f"{task['id']}@{host}", "host": host, "assignedTo": f"{NAMES[0].lower()}@{host}"}
            for task in list(tasks(size))[place : place + 3]
        ]
        for task in given:
            yield "task:created", {"task": task}
    yield "agent:statusChange", {"agentId": f"scout@{HOSTS[0]}", "status": "waiting for approval"}


def silence(host: str) -> Callable[[Route], None]:
    """Have the server's status say that nobody speaks for a host."""

    def handle(route: Route) -> None:
        answer = route.fetch()
        since = (datetime.now().astimezone() - timedelta(minutes=13)).isoformat()
        cluster = {"hosts": {host: {"online": False, "since": since}}}
        route.fulfill(response=answer, json={**answer.json(), "cluster": cluster})

    return handle


class Purse:
    """What the agents have used so far, told use by use."""

    def __init__(self) -> None:
        self.used: dict[str, tuple[int, float]] = {}

    def use(self, number: int, day: date, dollars: float) -> tuple[str, dict[str, Any]]:
        """Make the event of an agent's use on a day."""
        name, model, tokens = NAMES[number], MODELS[number % len(MODELS)], int(dollars * 90_000)
        before, spent = self.used.get(name, (0, 0.0))
        self.used[name] = before + tokens, spent + dollars
        figures = {
            "tokens": tokens,
            "input": tokens // 9,
            "output": tokens // 30,
            "cost": dollars,
            "calls": 4,
        }
        kind = {"session": f"{name}-main", "model": model, "day": day.isoformat(), "runtime": "openclaw"}
        delta = {"tokens": tokens, "cost": dollars, "uses": [{**kind, **figures, "costSource": "prices"}]}
        data = {"agent": name.lower(), "tokens": before + tokens, "cost": spent + dollars, "delta": delta}
        return "token:usage", data

    def weeks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Make the events of two weeks."""
        chance = Random(14)
        for days in range(13, -1, -1):
            day = datetime.now().date() - timedelta(days)
            for number in range(len(NAMES)):
                if chance.random() < 0.8:
                    yield self.use(number, day, chance.uniform(0.1, 0.9))


def finish_tasks(server: ServerProcess) -> None:
    """Have some tasks finished and some leads found."""
    finished = (8, 1, 4, 16, 9, 22)
    publish(server, (("task:completed", {"taskId": f"TASK-{number:04}"}) for number in finished))
    leads = [
        {"id": f"new-{n}", "company": name, "score": 70 + n}
        for n, name in enumerate(("Umbra", "Dune & Daughters"))
    ]
    publish(server, (("lead:added", {"lead": lead}) for lead in leads))


def write_files(server: ServerProcess) -> None:
    """Have the agents write something."""
    for number, name in enumerate(NAMES):
        for file in ("report.md", "findings.csv", "notes.md")[: 1 + number % 3]:
            (server.workspace / "agents" / name.lower() / file).write_text(
                f"{file} of {name}\n" * (number + 1)
            )


def publish(server: ServerProcess, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Publish events of a type with data."""
    body = [{"type": kind, "data": data} for kind, data in events]
    httpx.post(f"{server.url}/api/events", json=body, timeout=30).raise_for_status()


class Gallery:
    """A folder of pictures, and the browser that takes them."""

    def __init__(self, folder: Path, browser: Browser) -> None:
        self.folder = folder
        self.browser = browser

    @contextmanager
    def page(
        self,
        server: ServerProcess,
        *,
        hour: int | None = 11,
        scripts: tuple[str, ...] = (),
        hold: str = "",
        **options: Any,
    ) -> Iterator[Page]:
        """Open a page at an hour of a day; None for that of the server.

        Before it is opened scripts are run, and requests held without an answer.
        """
        with self.browser.new_context(
            **{"viewport": DESKTOP, "service_workers": "block", **options}
        ) as context:
            page = context.new_page()
            for script in scripts:
                page.add_init_script(script)
            if hold:
                context.route(hold, lambda _: None)
            now = datetime.now()
            page.clock.install(time=now if hour is None else now.replace(hour=hour, minute=15))
            page.goto(server.url)
            self.live(page, 6)
            yield page

    @staticmethod
    def live(page: Page, seconds: float) -> None:
        """Let the page live for so many seconds of its own."""
        for _ in range(int(seconds * 10)):
            page.clock.run_for(100)
            page.wait_for_timeout(5)

    def take(self, page: Page, name: str) -> None:
        """Take a picture."""
        page.screenshot(path=self.folder / f"{name}.png")


def take_all(gallery: Gallery) -> None:
    """Take every picture."""
    for agents, hours in ((0, (11,)), (1, (11,)), (12, (7, 11, 19, 23)), (50, (11, 23)), (200, (11,))):
        with furnished(agents) as server:
            for hour in hours:
                with gallery.page(server, hour=hour) as page:
                    gallery.take(page, f"floor-{agents:03}-agents-{hour:02}h")
    with furnished(12) as server:
        finish_tasks(server)
        purse = Purse()
        publish(server, purse.weeks())
        write_files(server)
        httpx.post(f"{server.url}/api/standups", timeout=30).raise_for_status()
        with gallery.page(server, hour=None) as page:
            today = datetime.now().date()
            publish(server, [purse.use(number, today, 0.12) for number in range(5)])
            publish(server, [("task:completed", {"taskId": "TASK-0016"})])
            gallery.live(page, 1.4)
            gallery.take(page, "floor-living")
            page.locator(".floor canvas").focus()
            for _ in range(3):
                page.keyboard.press("ArrowRight")
            gallery.live(page, 4)
            gallery.take(page, "floor-name-tag")
        for scheme in ("light", "dark"):
            with gallery.page(server, color_scheme=scheme) as page:
                gallery.take(page, f"floor-{scheme}")
                for view in VIEWS:
                    page.goto(f"{server.url}/{view}")
                    gallery.live(page, 2)
                    gallery.take(page, f"view-{view.replace('/', '-')}-{scheme}")
        with gallery.page(server, viewport=PHONE, device_scale_factor=2, has_touch=True) as page:
            for view in ("", *VIEWS):
                page.goto(f"{server.url}/{view}")
                gallery.live(page, 2)
                gallery.take(page, f"phone-{view.replace('/', '-') or 'floor'}")
        with gallery.page(server, hour=None) as page:
            moment = page.get_by_label("Moment")
            moment.press("ArrowLeft")
            gallery.live(page, 2)
            gallery.take(page, "rewind")
            page.get_by_role("button", name="Back to live").click()
            page.keyboard.press("Control+k")
            gallery.live(page, 1)
            gallery.take(page, "palette")
    take_campus(gallery)
    take_connections(gallery)


def take_campus(gallery: Gallery) -> None:
    """Take fleets on several hosts: all of their offices, one of them, and one that nobody speaks for."""
    for sizes in ((6, 4), (8, 3, 12), (6, 9, 4, 12, 2, 7)):
        with furnished(0) as server:
            publish(server, campus(sizes))
            for hour in (11, 23):
                with gallery.page(server, hour=hour) as page:
                    gallery.take(page, f"campus-{len(sizes)}-hosts-{hour:02}h")
            if len(sizes) > 2:
                continue
            with gallery.page(server) as page:
                page.get_by_role("button", name=HOSTS[1]).click()
                gallery.live(page, 2)
                gallery.take(page, "campus-one-office")
                for view in ("agents", "tasks", "alerts", "events", f"agents/scout%40{HOSTS[0]}"):
                    page.goto(f"{server.url}/{view}")
                    gallery.live(page, 2)
                    gallery.take(page, f"campus-view-{view.split('%')[0].replace('/', '-')}")
            with gallery.page(server, hour=None) as page:
                page.route("**/api/system/status", silence(HOSTS[1]))
                page.reload()
                gallery.live(page, 6)
                gallery.take(page, "campus-away")
            with gallery.page(server, viewport=PHONE, device_scale_factor=2, has_touch=True) as page:
                gallery.take(page, "campus-phone")
                page.get_by_role("button", name=HOSTS[1]).click()
                gallery.live(page, 2)
                gallery.take(page, "campus-phone-one-office")


def let_polls_through() -> Callable[[Route], None]:
    """Block every way but plain polling: other ways are tried together, the event stream first."""
    tried = 0.0

    def handle(route: Route) -> None:
        nonlocal tried
        if "/stream" in route.request.url:
            tried = time()
        if time() - tried < 1:
            route.abort()
        else:
            route.continue_()

    return handle


def wait_for_lamp(page: Page, word: str) -> None:
    """Turn the clock until the lamp says so."""
    for _ in range(120):
        if word in page.locator(".lamp").inner_text():
            return
        page.clock.run_for(5_000)
        page.wait_for_timeout(60)
    raise TimeoutError(f"the lamp never says {word}")


# Without its worker the link lives in the page, where the clock can be turned.
ALONE = "delete window.SharedWorker;"
NO_WEBSOCKET = """
  const Native = window.WebSocket;
  window.WebSocket = class extends Native { constructor() { super("ws://127.0.0.1:1/"); } };
"""


def take_connections(gallery: Gallery) -> None:
    """Take the page in each state that its connection can be in."""
    with furnished(12) as server:
        with gallery.page(server, hour=None, scripts=(ALONE,)) as page:
            gallery.take(page, "connection-live")
            server.kill()
            gallery.live(page, 4)
            gallery.take(page, "connection-reconnecting")
            page.context.set_offline(True)
            gallery.live(page, 2)
            gallery.take(page, "connection-offline")
            page.context.set_offline(False)
            server.start()
            gallery.live(page, 40)
            gallery.take(page, "connection-back")
        with gallery.page(server, hour=None, scripts=(ALONE, NO_WEBSOCKET), hold="**/api/**") as page:
            gallery.take(page, "connection-connecting")
        with gallery.page(server, hour=None, scripts=(ALONE, NO_WEBSOCKET)) as page:
            ways = re.compile("/api/events([?]|/stream)")
            page.context.route(ways, lambda route: route.abort())
            server.restart()
            wait_for_lamp(page, "Out of reach")
            gallery.take(page, "connection-out-of-reach")
            page.context.unroute(ways)
            page.context.route(ways, let_polls_through())
            wait_for_lamp(page, "Polling")
            gallery.take(page, "connection-polling")
    with (
        tempfile.TemporaryDirectory(prefix="gallery-") as name,
        start_server(Path(name) / "workspace", options=["--token", "t" * 32]) as server,
        gallery.page(server, hour=None) as page,
    ):
        gallery.take(page, "connection-error")


@contextmanager
def furnished(agents: int) -> Iterator[ServerProcess]:
    """Start a server over a workspace for so many agents."""
    with tempfile.TemporaryDirectory(prefix="gallery-") as name:
        workspace = Path(name) / "workspace"
        workspace.mkdir()
        furnish(workspace, agents)
        with start_server(workspace) as server:
            yield server


def main() -> int:
    """Take all pictures into the folder that is named, or `gallery`."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "gallery")
    folder.mkdir(parents=True, exist_ok=True)
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        take_all(Gallery(folder, browser))
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
