"""The dashboard in real Chromium, under software rendering: how soon it is painted, and whether it stays fluid.

    python -m benchmarks.dashboard                    # all parts
    python -m benchmarks.dashboard --parts load rewind

- `size`: what the floor loads, as it goes over the wire;
- `load`: from the navigation to the frame that shows 50 agents, or a board of 10,000 tasks;
- `frames`: frames of the floor in a second with 12, 50 and 200 busy agents;
- `storm`: 1,000 events a second for a minute, with the floor and with the list of events open;
- `rewind`: the state at moments anywhere in a log of 1,000,000 events, and the time line dragged there.
"""

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from benchmarks.browser_client import FLAGS, events_from, heap_of
from benchmarks.targets import Check, at_least, at_most, conclude
from missioncontrol.testing import ServerProcess, start_server

AGENTS = 50
TASKS = 10_000
LOGGED = 1_000_000
STATUSES = ("pending", "in_progress", "review", "completed")
DESKTOP: ViewportSize = {"width": 1400, "height": 900}

PAINTED = "() => document.querySelectorAll('ul[aria-label=\"Who is in the office\"] li').length >= %d"
PAINTED_BOARD = "() => document.querySelectorAll('.task-card').length > 0"

FRAMES = """(seconds) => new Promise((resolve) => {
  let frames = 0;
  const began = performance.now();
  const next = () => {
    frames += 1;
    const spent = performance.now() - began;
    spent < seconds * 1000 ? requestAnimationFrame(next) : resolve(frames / spent * 1000);
  };
  requestAnimationFrame(next);
})"""

WATCH_TASKS = """() => {
  window.longTasks = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.longTasks.push(entry.duration);
  }).observe({ type: "longtask" });
}"""

Figures = dict[str, object]


class Run:
    """The browser, and what has been measured so far."""

    def __init__(self, browser: Browser, rounds: int, seconds: float) -> None:
        self.browser = browser
        self.rounds = rounds
        self.seconds = seconds
        self.checks: list[Check] = []
        self.figures: Figures = {}

    @contextmanager
    def page(self) -> Iterator[Page]:
        """Open a page of a browser that has never been here."""
        with self.browser.new_context(viewport=DESKTOP) as context:
            yield context.new_page()


def fill(server: ServerProcess, agents: int = AGENTS, tasks: int = TASKS) -> None:
    """Give the fleet so many agents and tasks."""
    found = [
        {"id": f"agent-{n}", "name": f"Agent {n}", "status": "busy", "currentTask": f"Task {n}"}
        for n in range(agents)
    ]
    publish(
        server,
        [
            {
                "type": "agent:statusChange",
                "data": {"agentId": agent["id"], "status": agent["status"], "agent": agent},
            }
            for agent in found
        ],
    )
    for first in range(0, tasks, 500):
        page = [
            {
                "id": f"TASK-{n:05}",
                "description": f"Read report number {n}",
                "status": STATUSES[n % 4],
                "priority": f"P{n % 4}",
                "assignedTo": f"agent-{n % agents}",
                "created": "2026-11-20T10:00:00.000Z",
                "updated": "2026-11-20T10:00:00.000Z",
            }
            for n in range(first, min(first + 500, tasks))
        ]
        publish(server, [{"type": "task:created", "data": {"task": task}} for task in page])


def publish(server: ServerProcess, events: list[dict[str, object]]) -> None:
    """Publish events."""
    body = msgspec.json.encode(events)
    httpx.post(f"{server.url}/api/events", content=body, timeout=60).raise_for_status()


def measure_size(run: Run, server: ServerProcess) -> None:
    """Count the bytes that a first visit to the floor takes."""
    with run.page() as page:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        urls: dict[str, str] = {}
        sizes: dict[str, float] = {}
        session.on("Network.responseReceived", lambda e: urls.update({e["requestId"]: e["response"]["url"]}))
        session.on(
            "Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]})
        )
        page.goto(server.url)
        page.wait_for_function(PAINTED % 1)
        page.wait_for_timeout(500)
        files = {urls[key]: size for key, size in sizes.items() if key in urls and "/api/" not in urls[key]}
    for url, size in sorted(files.items(), key=lambda item: -item[1]):
        print(f"  {size / 1024:7.1f} KiB  {url.removeprefix(server.url)}")
    run.checks.append(at_most("first load", sum(files.values()) / 1024, 250, "KiB"))
    run.figures["size"] = files


def measure_load(run: Run, server: ServerProcess) -> None:
    """Time first visits, from the navigation to the frame after everybody is there."""
    for path, painted in (("/", PAINTED % AGENTS), ("/tasks", PAINTED_BOARD)):
        times: list[float] = []
        for _ in range(run.rounds):
            with run.page() as page:
                page.goto(f"{server.url}{path}", wait_until="commit")
                page.wait_for_function(painted, polling="raf")
                times.append(
                    page.evaluate(
                        "() => new Promise((r) => requestAnimationFrame(() => r(performance.now())))"
                    )
                )
        run.checks.append(at_most(f"painted {path}, median", statistics.median(times), 1000, "ms"))
        print(f"  {path}: {', '.join(f'{time:.0f}' for time in times)} ms")
        run.figures[f"load {path}"] = times


def measure_frames(run: Run, server: ServerProcess, agents: int, least: float) -> None:
    """Count the frames of the floor."""
    with run.page() as page:
        page.goto(server.url)
        page.wait_for_function(PAINTED % agents)
        page.wait_for_timeout(1500)
        rates = [page.evaluate(FRAMES, 3) for _ in range(run.rounds)]
    run.checks.append(at_least(f"frames of {agents} agents, median", statistics.median(rates), least, "/s"))
    run.figures[f"frames {agents}"] = rates


def storm(server: ServerProcess, seconds: float, stop: threading.Event) -> None:
    """Publish 1,000 events a second."""
    began = time.perf_counter()
    sent = 0
    while not stop.is_set() and sent < seconds * 1000:
        if time.perf_counter() - began > sent / 1000:
            publish(server, mixed(sent, 50))
            sent += 50
        time.sleep(0.005)


def mixed(number: int, count: int) -> list[dict[str, object]]:
    """Return events as a fleet tells them that is busier than any."""
    batch: list[dict[str, object]] = []
    for n in range(number, number + count):
        agent = f"agent-{n % AGENTS}"
        kind = n % 5
        if kind == 0:
            status = "busy" if n % 3 else "idle"
            batch.append({"type": "agent:statusChange", "data": {"agentId": agent, "status": status}})
        elif kind == 1:
            updates = {"status": STATUSES[n // 5 % 3], "updated": f"{n}"}
            batch.append(
                {"type": "task:updated", "data": {"taskId": f"TASK-{n % TASKS:05}", "updates": updates}}
            )
        elif kind == 2:
            use = {"day": time.strftime("%Y-%m-%d"), "model": "claude-sonnet-4-5", "session": agent}
            figures = {"tokens": 10, "cost": 0.0001, "calls": 1, "costSource": "prices"}
            delta = {"tokens": 10, "cost": 0.0001, "uses": [{**use, **figures}]}
            told = {"agent": agent, "tokens": n, "cost": n / 1e5, "delta": delta}
            batch.append({"type": "token:usage", "data": told})
        elif kind == 3:
            changed = {"action": "modified", "path": f"agents/{agent}/{n % 99}.md", "agentId": agent}
            batch.append({"type": "file:change", "data": changed})
        else:
            batch.append({"type": "agent:activity", "data": {"agentId": agent, "fileCount": n}})
    return batch


def measure_storm(run: Run, server: ServerProcess) -> None:
    """Watch the page's main thread in a storm, and whether it has seen all of it afterwards."""
    for path in ("/", "/events", "/tasks"):
        with run.page() as page:
            session = page.context.new_cdp_session(page)
            page.goto(f"{server.url}{path}")
            page.wait_for_selector(".lamp.live")
            page.wait_for_timeout(2000)
            page.evaluate(WATCH_TASKS)
            stop = threading.Event()
            sender = threading.Thread(target=storm, args=(server, run.seconds, stop))
            sender.start()
            page.wait_for_timeout(10_000)
            early = heap_of(session)
            sender.join()
            page.wait_for_timeout(1000)
            tasks = sorted(page.evaluate("window.longTasks"))
            late = heap_of(session)
            busy = page.locator(".crew b").inner_text()
        state = httpx.get(f"{server.url}/api/agents", timeout=60).json()
        true = f"{sum(agent['kind'] == 'busy' for agent in state)} / {len(state)}"
        # The heap's own collections, which were asked for, are tasks too.
        longest = tasks[-1] if tasks else 0.0
        run.checks.append(at_most(f"longest task in a storm, {path}", longest, 200, "ms"))
        run.checks.append(
            Check(busy == true, f"counter after the storm, {path}: {busy}, and the server's: {true}")
        )
        print(
            f"  {path}: {len(tasks)} tasks over 50 ms, longest {longest:.0f} ms, heap {early:.1f} then {late:.1f} MB"
        )
        run.figures[f"storm {path}"] = {"tasks": tasks, "heap": [early, late]}


def measure_rewind(run: Run, server: ServerProcess) -> None:
    """Ask for states anywhere in a long log, and drag the time line there."""
    for first in range(0, LOGGED, 5000):
        publish(
            server, [event for number in range(first, first + 5000, 1000) for event in events_from(number)]
        )
    with httpx.Client(base_url=server.url, timeout=60) as client:
        epoch, head = client.get("/api/snapshot").json()["cursor"].split(":")
        chance = random.Random(1)
        times: list[float] = []
        for _ in range(50):
            began = time.perf_counter()
            client.get(f"/api/snapshot?at={epoch}:{chance.randrange(1, int(head))}").raise_for_status()
            times.append((time.perf_counter() - began) * 1000)
    run.checks.append(at_most("state of a moment, median", statistics.median(times), 200, "ms"))
    run.checks.append(at_most("state of a moment, longest", max(times), 200, "ms"))
    run.figures["rewind"] = times
    with run.page() as page:
        page.goto(server.url)
        page.wait_for_selector(".timeline input")
        drags = [page.evaluate(DRAG, chance.random()) for _ in range(20)]
    run.checks.append(
        at_most("time line dragged to the past painted, median", statistics.median(drags), 400, "ms")
    )
    run.figures["drag"] = drags


DRAG = """(share) => new Promise((resolve) => {
  const line = document.querySelector(".timeline input");
  const lamp = document.querySelector(".lamp");
  const began = performance.now();
  line.value = Number(line.min) + share * (Number(line.max) - Number(line.min)) * 0.95;
  line.dispatchEvent(new Event("input", { bubbles: true }));
  const look = () => {
    if (!lamp.classList.contains("past")) return void requestAnimationFrame(look);
    const spent = performance.now() - began;
    [...document.querySelectorAll(".timeline button")].at(-1).click();
    const leave = () => lamp.classList.contains("past") ? void requestAnimationFrame(leave) : resolve(spent);
    leave();
  };
  look();
})"""

PARTS = ("size", "load", "frames", "storm", "rewind")


def main() -> int:
    """Measure; 1 when a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60, help="how long the storm lasts")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    arguments = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        run = Run(browser, arguments.rounds, arguments.seconds)
        for part in arguments.parts:
            print(part)
            measure(run, part)
        browser.close()
    return conclude(run.checks, [], run.figures, arguments.json)


def measure(run: Run, part: str) -> None:
    """Measure one part, over servers of its own."""
    if part == "frames":
        for agents, limit in ((12, 57), (AGENTS, 57), (200, 30)):
            with serving() as server:
                fill(server, agents, 0)
                measure_frames(run, server, agents, limit)
        return
    with serving() as server:
        if part == "rewind":
            measure_rewind(run, server)
            return
        fill(server)
        {"size": measure_size, "load": measure_load, "storm": measure_storm}[part](run, server)


@contextmanager
def serving() -> Iterator[ServerProcess]:
    """Start a server over an empty workspace."""
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        start_server(Path(folder) / "workspace") as server,
    ):
        yield server


if __name__ == "__main__":
    sys.exit(main())
