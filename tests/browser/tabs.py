"""Pages that use the browser client as an application does, and write down what it tells them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
from playwright.sync_api import BrowserContext, Page

from missioncontrol.testing import ServerProcess

PATH = "/application.html"

RECORD = """
  window.ids = [];
  window.gaps = [];
  window.states = [];
  window.client = new MCRealtimeClient(OPTIONS);
  client.on("*", (data, event) => ids.push(event.id));
  client.on("gap", (gap) => gaps.push(gap));
  client.on("stateChange", (state) => states.push(state.state));
"""
"""What every page runs: OPTIONS is replaced by those of the client."""


def serve(context: BrowserContext, server: ServerProcess, body: str, path: str = PATH) -> None:
    """Have a page of the server's origin be this HTML."""
    html = f"<!doctype html><meta charset=utf-8><title>Application</title>{body}"
    context.route(f"{server.url}{path}", lambda route: route.fulfill(body=html, content_type="text/html"))


class _QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def files_on_a_port(folder: Path) -> Iterator[str]:
    """Serve the files of a folder on a port of their own, as the earlier system's users have their pages."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietFiles, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def open_tab(context: BrowserContext, server: ServerProcess, **options: Any) -> Page:
    """Open a page whose client writes down what it is told, and wait until it is connected."""
    script = RECORD.replace("OPTIONS", json.dumps(options))
    serve(context, server, f'<script src="/js/realtime.js"></script><script>{script}</script>')
    page = context.new_page()
    page.goto(f"{server.url}{PATH}")
    page.evaluate("client.connect()")
    return page


def state_of(page: Page) -> dict[str, Any]:
    """What `getState` says."""
    state: dict[str, Any] = page.evaluate("client.getState()")
    return state


def publish_many(server: ServerProcess, numbers: Sequence[int]) -> list[int]:
    """Publish an event for each number, and return their ids."""
    events = [{"type": "custom:event", "data": {"number": number}} for number in numbers]
    answer = httpx.post(f"{server.url}/api/events", json=events, timeout=30).raise_for_status().json()
    ids: list[int] = answer["ids"]
    return ids


@contextmanager
def publishing(server: ServerProcess, rate: int) -> Iterator[None]:
    """Publish so many events a second, in the background; what the server does not take is left out."""
    stop = threading.Event()

    def run() -> None:
        with httpx.Client(timeout=30) as http:
            began, told = monotonic(), 0
            while not stop.wait(0.02):
                due = int((monotonic() - began) * rate)
                events = [{"type": "custom:event", "data": {"number": told + n}} for n in range(due - told)]
                told = due
                try:
                    if events:
                        http.post(f"{server.url}/api/events", json=events)
                except httpx.HTTPError:
                    continue

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def head_of(server: ServerProcess) -> int:
    """The id of the newest event."""
    events = httpx.get(f"{server.url}/api/system/events?limit=1", timeout=30).raise_for_status().json()
    return int(events[0]["id"]) if events else 0


def expect_everything_once(page: Page, server: ServerProcess, seconds: float = 30.0) -> None:
    """Wait until a page has come to the end of the log; it must have seen each event once, in order, without a gap."""
    head = head_of(server)
    deadline = monotonic() + seconds
    while (last := page.evaluate("ids.at(-1) ?? 0")) < head:
        assert monotonic() < deadline, f"{last} of {head}; {state_of(page)}"
        sleep(0.05)
    ids: list[int] = page.evaluate("ids")
    assert ids == list(range(ids[0], ids[-1] + 1))
    assert page.evaluate("gaps") == []
