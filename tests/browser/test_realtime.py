"""The browser client in real Chromium, over a real server: every event exactly once, whatever happens between."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect
from tests.browser.tabs import (
    PATH,
    RECORD,
    expect_everything_once,
    files_on_a_port,
    open_tab,
    publish_many,
    publishing,
    serve,
    state_of,
)

from missioncontrol.client import publish
from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

BLOCK_WEBSOCKETS = """
  const Real = WebSocket;
  window.blocked = true;
  window.WebSocket = class extends Real {
    constructor(url, protocols) { super(window.blocked ? "ws://127.0.0.1:1/" : url, protocols); }
  };
"""
"""Sockets fail as they do behind a proxy that knows none."""

TRANSPORTS = ["websocket", "sse", "long-poll", "polling"]


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context() as context:
        yield context


def until(page: Page, condition: str, seconds: float = 30.0) -> None:
    page.wait_for_function(condition, timeout=seconds * 1000)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_each_transport_brings_every_event_once(
    context: BrowserContext, server: ServerProcess, transport: str
) -> None:
    page = open_tab(context, server, transports=[transport], share=False, pollingInterval=200)
    assert state_of(page)["transport"] == transport
    with publishing(server, 200):
        until(page, "ids.length > 300")
    expect_everything_once(page, server)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("share", [True, False])
def test_a_server_that_is_killed_in_mid_burst_costs_nothing(
    context: BrowserContext, server: ServerProcess, transport: str, share: bool
) -> None:
    page = open_tab(context, server, transports=[transport], share=share, pollingInterval=200)
    with publishing(server, 300):
        for _ in range(2):
            seen = page.evaluate("ids.length")
            until(page, f"ids.length > {seen + 100}")
            server.kill()
            server.start()
    expect_everything_once(page, server)


def test_the_next_best_transport_is_taken_and_left_again(
    context: BrowserContext, server: ServerProcess
) -> None:
    context.add_init_script(BLOCK_WEBSOCKETS)
    context.route("**/api/events/stream*", lambda route: route.abort())
    page = open_tab(context, server, share=False)
    assert state_of(page)["transport"] == "long-poll"
    with publishing(server, 200):
        until(page, "ids.length > 100")
        context.unroute("**/api/events/stream*")
        until(page, "client.getState().transport === 'sse'")
        page.evaluate("window.blocked = false")
        until(page, "client.getState().transport === 'websocket'")
    expect_everything_once(page, server)


def test_a_page_that_goes_offline_comes_back_with_all_it_missed(
    context: BrowserContext, server: ServerProcess
) -> None:
    page = open_tab(context, server, share=False)
    context.set_offline(True)
    page.evaluate("client.dropConnection()")
    until(page, "client.getState().stale")
    publish_many(server, range(50))
    context.set_offline(False)
    until(page, "client.isConnected()")
    expect_everything_once(page, server)


def test_attempts_that_are_used_up_end_in_polling(context: BrowserContext, server: ServerProcess) -> None:
    page = open_tab(
        context, server, maxReconnectAttempts=2, reconnectInterval=50, pollingInterval=200, share=False
    )
    server.kill()
    until(page, "client.isPolling() && client.getState().stale")
    server.start()
    until(page, "!client.getState().stale")
    publish_many(server, range(10))
    expect_everything_once(page, server)


def test_ten_tabs_share_one_connection_and_the_leader_may_close(
    context: BrowserContext, server: ServerProcess
) -> None:
    """Without a worker one of the pages leads."""
    pages = [open_tab(context, server, workerUrl=None) for _ in range(10)]
    assert sum(state_of(page)["leads"] for page in pages) == 1
    assert len({state_of(page)["clientId"] for page in pages}) == 1
    with publishing(server, 100):
        for _ in range(3):
            leader = next(page for page in pages if state_of(page)["leads"])
            pages.remove(leader)
            seen = pages[0].evaluate("ids.length")
            leader.close()
            until(pages[0], f"ids.length > {seen + 50}", 2)
    for page in pages:
        expect_everything_once(page, server)
    assert sum(state_of(page)["leads"] for page in pages) == 1


def test_a_leader_whose_process_is_killed_is_replaced(context: BrowserContext, server: ServerProcess) -> None:
    leader, other = (open_tab(context, server, workerUrl=None) for _ in range(2))
    assert state_of(leader)["leads"]
    with publishing(server, 100):
        with contextlib.suppress(Error):
            leader.goto("chrome://crash")
        until(other, "client.getState().leads && ids.length > 100", 5)
    expect_everything_once(other, server)


def test_tabs_share_a_worker(context: BrowserContext, server: ServerProcess) -> None:
    pages = [open_tab(context, server) for _ in range(4)]
    assert not any(state_of(page)["leads"] for page in pages)
    assert len({state_of(page)["clientId"] for page in pages}) == 1
    with publishing(server, 200):
        until(pages[0], "ids.length > 50")
        pages.pop(0).close()
        late = open_tab(context, server)
        until(late, "ids.length > 50")
        server.kill()
        server.start()
        until(late, "ids.length > 200")
    for page in [*pages, late]:
        expect_everything_once(page, server)


def test_without_worker_and_locks_each_tab_has_its_own(
    context: BrowserContext, server: ServerProcess
) -> None:
    context.add_init_script("delete window.SharedWorker; delete Navigator.prototype.locks;")
    pages = [open_tab(context, server) for _ in range(3)]
    assert len({state_of(page)["clientId"] for page in pages}) == 3
    publish_many(server, range(20))
    for page in pages:
        expect_everything_once(page, server)


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_a_server_that_hangs_is_noticed_and_nothing_is_lost(
    context: BrowserContext, tmp_path: Path, transport: str
) -> None:
    env = {"MISSION_CONTROL_HEARTBEAT_INTERVAL": "0.5"}
    with start_server(tmp_path / "workspace", env=env) as server:
        page = open_tab(context, server, transports=[transport], share=False)
        server.pause()
        until(page, "client.getState().stale", 5)
        server.resume()
        publish_many(server, range(20))
        until(page, "client.isConnected()")
        expect_everything_once(page, server)


def test_a_page_that_is_loaded_again_goes_on_where_it_was(
    context: BrowserContext, server: ServerProcess
) -> None:
    page = open_tab(context, server)
    publish_many(server, range(5))
    until(page, "ids.length === 5")
    last = page.evaluate("ids.at(-1)")
    page.goto("about:blank")
    missed = publish_many(server, range(5))
    page.goto(f"{server.url}{PATH}")
    until(page, "ids.length >= 5")
    assert page.evaluate("ids") == missed
    assert missed[0] == last + 1
    stored = page.evaluate("[{...sessionStorage}, {...localStorage}, document.cookie]")
    assert list(stored[0]) == [f"mission-control:cursor:{server.url}"]
    assert stored[1:] == [{}, ""]


def test_a_gap_comes_with_the_state_after_it(context: BrowserContext, server: ServerProcess) -> None:
    publish(server.url, "lead:added", {"lead": {"id": "L1", "name": "Before"}})
    page = open_tab(context, server)
    until(page, "client.state.leads.length === 1")
    server.stop()
    for file in server.data.rglob("*"):
        if file.is_file():
            file.unlink()
    server.start()
    publish(server.url, "lead:added", {"lead": {"id": "L2", "name": "After"}})
    until(page, "gaps.length > 0 && client.state?.leads.some(({ id }) => id === 'L2')")
    gap: dict[str, Any] = page.evaluate("gaps[0]")
    assert gap["reason"] == "epoch"
    assert [lead["id"] for lead in gap["snapshot"]["state"]["leads"]] in ([], ["L2"])
    assert page.evaluate("client.state.leads.map(({ id }) => id)") == ["L2"]


def test_the_state_is_that_of_the_server(context: BrowserContext, server: ServerProcess) -> None:
    page = open_tab(context, server)
    publish(server.url, "agent:statusChange", {"agentId": "scout", "status": "busy"})
    publish(server.url, "task:created", {"task": {"id": "TASK-0001", "description": "Read"}})
    publish(server.url, "token:usage", {"agent": "scout", "tokens": 10, "cost": 0.5})
    until(page, "client.state.tokens.agents.length === 1 || client.state.tokens.total?.tokens === 10")
    snapshot = page.evaluate("fetch('/api/snapshot').then((answer) => answer.json())")
    state = page.evaluate("client.state")
    assert [agent["id"] for agent in state["agents"]] == [a["id"] for a in snapshot["state"]["agents"]]
    assert state["tasks"] == snapshot["state"]["tasks"]


@pytest.mark.parametrize("share", [True, False])
def test_a_page_out_of_the_back_forward_cache_has_missed_nothing(
    context: BrowserContext, server: ServerProcess, share: bool
) -> None:
    page = open_tab(context, server, share=share)
    serve(context, server, "<p>Elsewhere</p>", "/elsewhere.html")
    page.evaluate("addEventListener('pageshow', (event) => { window.persisted = event.persisted; })")
    page.goto(f"{server.url}/elsewhere.html")
    missed = publish_many(server, range(20))
    page.go_back(wait_until="commit")
    until(page, "window.persisted && client.isConnected()")
    expect_everything_once(page, server)
    assert page.evaluate("ids") == missed


def test_the_page_of_the_earlier_system_works_as_it_is(
    context: BrowserContext, server: ServerProcess
) -> None:
    serve(
        context,
        server,
        """
        <div data-agent-id="scout"><span class="status">-</span></div>
        <span class="ws-connection-indicator"></span>
        <script src="js/realtime.js"></script>
        <script>
          // Auto-connects with polling fallback
          const client = new MCRealtimeClient();

          // Subscribe to events
          client.subscribe(['agent:statusChange', 'task:completed']);

          // Handle events
          client.on('agent:statusChange', (data) => {
            console.log(`${data.agentId} is now ${data.status}`);
          });
          client.on('agent:statusChange', (data) => {
            const el = document.querySelector(`[data-agent-id="${data.agentId}"] .status`);
            if (el) el.textContent = data.status;
          });
          const dashboard = new MCRealtimeDashboard(client, {
            updateAgents: true,      // Update agent status indicators
            updateTasks: true,       // Refresh task lists
            updateTokens: true,      // Update token displays
            updateLeads: true,       // Refresh lead data
            showNotifications: true  // Show toast notifications
          });
        </script>""",
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{server.url}{PATH}")
    expect(page.locator(".ws-connection-indicator")).to_have_text("● Live")
    publish(server.url, "agent:statusChange", {"agentId": "scout", "status": "busy"})
    expect(page.locator(".status")).to_have_text("busy")
    publish(server.url, "lead:added", {"lead": {"id": "1", "name": "<b>Ada</b>"}})
    expect(page.locator(".mc-toast")).to_have_text(re.compile("New Lead <b>Ada</b>"))
    assert said == ["scout is now busy"]
    server.kill()
    expect(page.locator(".ws-connection-indicator")).to_have_text("↻ Reconnecting...")


def test_every_call_of_the_earlier_client_is_there(context: BrowserContext, server: ServerProcess) -> None:
    serve(context, server, '<script src="js/realtime.js"></script>')
    page = context.new_page()
    page.goto(f"{server.url}{PATH}")
    told = page.evaluate(
        """async ([wsUrl, apiUrl]) => {
          const told = [];
          const client = new MCRealtimeClient({
            wsUrl, apiUrl, reconnectInterval: 1000, maxReconnectInterval: 30000, maxReconnectAttempts: 10,
            enablePolling: true, pollingInterval: 30000, debug: false,
          });
          client.addEventListener("stateChange", (event) => told.push(event.detail.state));
          await client.connect();
          client.disconnect();
          await client.reconnect();
          client.subscribe(["agent:statusChange", "task:completed"]);
          client.subscribe("agent:*");
          client.subscribeAll();
          client.unsubscribe("agent:statusChange");
          client.clearSubscriptions();
          client.subscribe("agent:*");
          const seen = new Promise((resolve) => client.addEventListener("agent:statusChange", resolve));
          await client.publish("agent:statusChange", { agentId: "scout", status: "online" });
          const { detail } = await seen;
          const { state, clientId, subscriptions, metrics } = client.getState();
          const names = Object.values(MC_REALTIME_EVENTS).concat(Object.values(MC_CONNECTION_STATE));
          return {
            told, detail, state, clientId, subscriptions, metrics, names,
            connected: client.isConnected(), polling: client.isPolling(), last: client.getHistory(1)[0].type,
            usual: mcRealtime instanceof MCRealtimeClient && mcRealtime === window.mcRealtime,
          };
        }""",
        [server.ws_url, server.url],
    )
    assert told["told"] == ["connecting", "connected", "disconnected", "connecting", "connected"]
    assert (told["detail"]["agentId"], told["detail"]["status"]) == ("scout", "online")
    assert told["state"] == "connected"
    assert re.match("ws_", told["clientId"])
    assert told["subscriptions"] == ["agent:*", "agent:statusChange"]
    assert told["metrics"]["messagesReceived"] > 0
    assert told["metrics"]["reconnects"] == 1
    assert (told["connected"], told["polling"], told["usual"]) == (True, False, True)
    assert told["last"] == "agent:statusChange"
    assert {"agent:statusChange", "token:threshold", "ping", "polling", "error"} <= set(told["names"])


def test_a_thousand_events_a_second_for_a_minute(context: BrowserContext, server: ServerProcess) -> None:
    pages = [open_tab(context, server) for _ in range(2)]
    with publishing(server, 1000):
        until(pages[0], "ids.length >= 60000", 120)
    for page in pages:
        expect_everything_once(page, server)


def test_the_demo_shows_everything_and_does_what_it_is_asked(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/realtime-demo.html")
    lamp = page.locator(".lamp")
    connection = page.get_by_role("region", name="Connection")
    lines = page.get_by_role("list", name="Events")
    expect(lamp).to_have_text("● Live")
    page.get_by_role("button", name="Publish").click()
    expect(lines).to_contain_text('custom:event {"hello":"world"}')
    for label, transport in [("SSE", "sse"), ("Long-poll", "long-poll"), ("WebSocket", "websocket")]:
        connection.get_by_role("button", name=label, exact=True).click()
        expect(connection).to_contain_text(f"Transport{transport}")
        expect(lamp).to_have_text("● Live")
    connection.get_by_role("button", name="Cut the connection").click()
    expect(page.get_by_role("region", name="Metrics")).to_contain_text("Reconnects4")
    page.get_by_label("Patterns").fill("lead:*")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(page.get_by_role("region", name="Subscriptions")).to_contain_text("lead:*")
    publish(server.url, "custom:event", {"unheard": True})
    page.get_by_role("button", name="lead:added").click()
    page.get_by_role("button", name="Publish").click()
    expect(lines).to_contain_text("demo-lead")
    expect(lines).not_to_contain_text("unheard")
    expect(page.get_by_role("region", name="State")).to_contain_text("leads 1")
    page.get_by_label("Data").fill("{")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("status")).to_contain_text("Publish: Expected property name")
    page.get_by_label("Filter").fill("hello")
    expect(lines.get_by_role("listitem")).to_have_count(1)
    connection.get_by_role("button", name="Disconnect").click()
    expect(lamp).to_have_text("○ Offline")


def test_a_leader_that_hangs_is_replaced(context: BrowserContext, server: ServerProcess) -> None:
    leader = open_tab(context, server, workerUrl=None)
    other = open_tab(context, server, workerUrl=None)
    assert state_of(leader)["leads"]
    assert not state_of(other)["leads"]
    leader.evaluate("setTimeout(() => { const end = Date.now() + 9000; while (Date.now() < end); }, 100)")
    with publishing(server, 50):
        until(other, "client.getState().leads", 15)
        seen = other.evaluate("ids.length")
        until(other, f"ids.length > {seen + 50}", 15)
        until(leader, "!client.getState().leads", 15)
    expect_everything_once(other, server)
    expect_everything_once(leader, server)


README = Path(__file__).parents[2] / "README.md"


def test_the_page_of_the_readme_works_from_another_server(
    context: BrowserContext, server: ServerProcess
) -> None:
    block = re.search(r"^```html\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    html = block[1].replace("http://127.0.0.1:3001", server.url)
    elsewhere = "http://localhost:8080/"
    context.route(elsewhere, lambda route: route.fulfill(body=html, content_type="text/html"))
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "log" else None)
    page.goto(elsewhere)
    until(page, "client.isConnected() && client.state !== null")
    publish(server.url, "task:created", {"task": {"id": "TASK-0001", "description": "Read"}})
    until(page, "client.state.tasks.length === 1")
    assert said[:2] == ["connecting", "connected"]
    assert said[2].startswith("task:created")


def test_a_fold_that_cannot_be_loaded_at_first_is_loaded_later(
    context: BrowserContext, server: ServerProcess
) -> None:
    context.route("**/realtime-state.mjs*", lambda route: route.abort())
    script = RECORD.replace("OPTIONS", "{}")
    serve(context, server, f'<script src="/js/realtime.js"></script><script>{script}</script>')
    page = context.new_page()
    page.goto(f"{server.url}{PATH}")
    until(page, "client.isConnected()")
    assert page.evaluate("client.state") is None
    context.unroute("**/realtime-state.mjs*")
    until(page, "client.state !== null")


@pytest.mark.parametrize("fold", ["from the server", "nowhere"])
def test_a_copy_of_the_script_next_to_a_page_works(
    context: BrowserContext, server: ServerProcess, tmp_path: Path, fold: str
) -> None:
    folder = tmp_path / "pages"
    (folder / "js").mkdir(parents=True)
    (folder / "js/realtime.js").write_bytes(httpx.get(f"{server.url}/js/realtime.js").content)
    if fold == "nowhere":
        context.route("**/realtime-state.mjs*", lambda route: route.abort())
    options = {"apiUrl": server.url, "wsUrl": server.ws_url}
    script = RECORD.replace("OPTIONS", json.dumps(options))
    (folder / "index.html").write_text(
        f'<meta charset=utf-8><script src="js/realtime.js"></script><script>{script}</script>'
    )
    page = context.new_page()
    with files_on_a_port(folder) as address:
        page.goto(f"{address}/index.html")
        page.evaluate("client.connect()")
        publish(server.url, "custom:event", {})
        until(page, "ids.length > 0")
        assert page.evaluate("client.state !== null") == (fold == "from the server")
