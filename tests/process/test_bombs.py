"""Short bodies that mean a great deal are refused, cost little, and hold up neither other requests nor a stop."""

from __future__ import annotations

import gzip
import json
import signal
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psutil
import pytest

from missioncontrol.testing import ServerProcess, start_server
from tests.runtimes.telemetry.test_bounds import field, spans

pytestmark = pytest.mark.process

PROTOBUF, JSON = "application/x-protobuf", "application/json"
RESOURCES = b"\x0a\0" * 11_000_000
BOMBS = {
    "resources": (PROTOBUF, RESOURCES),
    "spans": (PROTOBUF, spans(b"\x12\0" * 11_000_000)),
    "attributes": (PROTOBUF, spans(field(2, b"\x4a\0" * 11_000_000))),
    "zeros": (PROTOBUF, bytes(64 * 1024 * 1024)),
    "json": (JSON, b'{"resourceSpans":[' + b"{}," * 5_000_000 + b"{}]}"),
    "levels": (JSON, b'{"resourceSpans":' + b"[" * 10_000_000),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "workspace") as server:
        yield server


def post(server: ServerProcess, path: str, body: bytes, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(server.url + path, body, named), timeout=60) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code


def packed_bombs() -> list[tuple[str, str, bytes]]:
    packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
    return [
        (media_type, packing, pack(body))
        for media_type, body in BOMBS.values()
        for packing, pack in packers.items()
    ]


def test_telemetry_bombs_are_refused_with_little_memory_while_others_are_answered(
    server: ServerProcess,
) -> None:
    bombs = packed_bombs()
    assert all(len(body) < 400_000 for _, _, body in bombs)
    process = psutil.Process(server.pid)
    assert post(server, "/v1/traces", b"", content_type=PROTOBUF) == 200
    before = process.memory_info().rss
    most = 0
    with ThreadPoolExecutor(8) as pool:
        answers = [
            pool.submit(post, server, f"/v1/{kind}", body, content_type=media_type, content_encoding=packing)
            for kind in ("traces",)
            for media_type, packing, body in bombs
        ]
        while not all(answer.done() for answer in answers):
            asked = time.monotonic()
            with urlopen(f"{server.url}/health", timeout=10) as health:
                assert json.load(health)["status"] == "ok"
            assert time.monotonic() - asked < 5
            most = max(most, process.memory_info().rss)
    assert {answer.result() for answer in answers} <= {400, 413}
    assert most - before < 300 * 1024 * 1024


def test_a_stop_does_not_wait_for_what_is_being_decoded(server: ServerProcess) -> None:
    # At the limit: it is accepted, and takes seconds.
    inner = b",".join([b"{}"] * 90_000)
    body = gzip.compress(b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + inner + b"]}]}]}")

    def send() -> None:
        try:
            post(server, "/v1/traces", body, content_type=JSON, content_encoding="gzip")
        except (URLError, OSError):
            pass

    process = psutil.Process(server.pid)
    busy = process.cpu_times().user + 1
    with ThreadPoolExecutor(12) as pool:
        for _ in range(12):
            pool.submit(send)
        while process.cpu_times().user < busy:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        assert server.wait(timeout=60) == 0
        assert time.monotonic() - asked < 5
