"""The browser client as others take it: its types, its package and its size."""

from __future__ import annotations

import gzip
import json
import runpy
import subprocess
import tarfile
from pathlib import Path

import pytest

WEB = Path(__file__).parent.parent.parent / "web"
BUILT = WEB.parent / "src/missioncontrol/server/web/js"
MAX_CLASSIC_BYTES = 12 * 1024

CONSUMER = """
import { MCRealtimeClient, MC_CONNECTION_STATE, type LogEvent } from "mission-control-client";

const client = new MCRealtimeClient({ apiUrl: "http://127.0.0.1:3001", autoConnect: false });
client.on("agent:statusChange", ({ agentId, status }, event: LogEvent) => {
  const text: string = agentId + status + event.id;
  void text;
});
// @ts-expect-error a status change has no such field
client.on("agent:statusChange", ({ agent_id }) => agent_id);
client.on("custom:event", (data) => data.anything);
const first: string | undefined = client.state?.agents[0]?.id;
const state: "polling" = MC_CONNECTION_STATE.POLLING;
export { first, state };
"""


def test_the_types_of_events_are_those_of_the_server() -> None:
    typescript = runpy.run_path(str(WEB / "scripts/catalogue.py"))["typescript"]
    assert (WEB / "src/client/catalogue.ts").read_text() == typescript(), "run `make catalogue`"


@pytest.mark.process
def test_the_classic_script_is_small() -> None:
    assert len(gzip.compress((BUILT / "realtime.js").read_bytes(), compresslevel=9)) <= MAX_CLASSIC_BYTES


@pytest.mark.process
def test_the_package_can_be_imported_and_has_its_types(tmp_path: Path) -> None:
    run(["npm", "run", "--silent", "build:package"], WEB)
    packed = json.loads(
        run(["npm", "pack", "--json", "--pack-destination", str(tmp_path)], WEB / "client-package")
    )
    package = tmp_path / "node_modules/mission-control-client"
    with tarfile.open(tmp_path / packed[0]["filename"]) as archive:
        archive.extractall(tmp_path, filter="data")
    package.parent.mkdir()
    (tmp_path / "package").rename(package)
    (tmp_path / "consumer.mts").write_text(CONSUMER)
    options = {
        "strict": True,
        "noEmit": True,
        "module": "nodenext",
        "target": "es2022",
        "lib": ["es2023", "dom"],
        "types": [],
    }
    (tmp_path / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": options, "files": ["consumer.mts"]})
    )
    run([str(WEB / "node_modules/.bin/tsc"), "--project", str(tmp_path)], tmp_path)
    script = 'console.log(Object.keys(await import("mission-control-client")).sort().join(" "))'
    names = run(["node", "--input-type=module", "--eval", script], tmp_path).split()
    assert names == ["MCRealtimeClient", "MCRealtimeDashboard", "MC_CONNECTION_STATE", "MC_REALTIME_EVENTS"]


def run(command: list[str], folder: Path) -> str:
    """Run a command, and return what it printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
