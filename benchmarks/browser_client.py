"""The browser client in real Chromium: a million events, each one checked, and what the page's memory does meanwhile.

    python -m benchmarks.browser_client --events 1000000

The page's client has handlers, a history and the folded state. The heap is measured after a collection; what counts is
how much it grows from a quarter of the events on.
"""

import argparse
import shutil
import sys
import tempfile
import time
import urllib.request
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.targets import Check, at_most, conclude
from missioncontrol.testing import ServerProcess, start_server

BATCH = 1_000
AHEAD = 20_000
"""How many events the publisher may be ahead of the page."""

GROWTH_MB = 5.0
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-features=LocalNetworkAccessChecks"]

SCRIPT = """() => {
  window.counted = {events: 0, wrong: 0, last: 0};
  window.client = new MCRealtimeClient({ share: false });
  client.on("*", (data, event) => {
    counted.events += 1;
    counted.wrong += counted.last !== 0 && event.id !== counted.last + 1 ? 1 : 0;
    counted.last = event.id;
  });
  return client.connect();
}"""


class Sample(NamedTuple):
    """The page after so many events."""

    events: int
    heap_mb: float
    seconds: float


def events_from(number: int) -> list[dict[str, object]]:
    """Return a batch of events as a busy fleet tells them: statuses, tasks, tokens and files."""
    batch: list[dict[str, object]] = []
    for n in range(number, number + BATCH):
        agent = f"agent-{n % 50}"
        kind = n % 4
        if kind == 0:
            status = "busy" if n % 8 else "idle"
            batch.append({"type": "agent:statusChange", "data": {"agentId": agent, "status": status}})
        elif kind == 1:
            task = {"id": f"TASK-{n % 2000:04}", "description": f"Task {n}", "status": "pending"}
            batch.append({"type": "custom:task", "data": {"task": task}})
        elif kind == 2:
            batch.append(
                {"type": "agent:activity", "data": {"agentId": agent, "fileCount": n, "lastActivity": ""}}
            )
        else:
            batch.append(
                {"type": "file:change", "data": {"action": "modified", "path": f"agents/{agent}/{n}.md"}}
            )
    return batch


def publish(server: ServerProcess, batch: list[dict[str, object]]) -> None:
    """Publish a batch."""
    request = urllib.request.Request(
        f"{server.url}/api/events", msgspec.json.encode(batch), {"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=60).close()


def heap_of(session: CDPSession) -> float:
    """Return the page's heap in MB, after a collection."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def run(page: Page, server: ServerProcess, events: int) -> list[Sample]:
    """Publish so many events, and look at the page at each tenth of them."""
    session = page.context.new_cdp_session(page)
    page.goto(f"{server.url}/health")
    page.add_script_tag(url="/js/realtime.js")
    page.evaluate(SCRIPT)
    samples: list[Sample] = []
    began = time.perf_counter()
    tenth = max(BATCH, events // 10)
    for number in range(0, events, BATCH):
        publish(server, events_from(number))
        page.wait_for_function(f"counted.events > {number + BATCH - AHEAD}", timeout=60_000)
        if (number + BATCH) % tenth == 0:
            page.wait_for_function(f"counted.events >= {number + BATCH}", timeout=60_000)
            page.evaluate("client.state?.agents.length")
            samples.append(Sample(number + BATCH, heap_of(session), time.perf_counter() - began))
    return samples


def main() -> int:
    """Measure once; 1 when a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.browser_client", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    arguments = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        start_server(Path(folder) / "workspace") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_context(bypass_csp=True).new_page()
        samples = run(page, server, arguments.events)
        counted = page.evaluate("counted")
        browser.close()
    for sample in samples:
        rate = sample.events / sample.seconds
        print(f"{sample.events:>9,} events  heap {sample.heap_mb:6.2f} MB  {rate:8,.0f} events/s")
    quarter = next(islice((s for s in samples if s.events >= arguments.events / 4), 1))
    checks = [
        at_most(
            "growth of the heap from a quarter on", samples[-1].heap_mb - quarter.heap_mb, GROWTH_MB, "MB"
        ),
        # The server may have something to tell of its own.
        Check(counted["events"] >= arguments.events and not counted["wrong"], f"each event once: {counted}"),
    ]
    figures = {"samples": [sample._asdict() for sample in samples], "counted": counted}
    return conclude(checks, [], figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
