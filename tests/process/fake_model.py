"""A model for the real Claude Code: the Messages API on loopback, which calls the tools that a test names.

Source: https://docs.claude.com/en/api/messages-streaming.
"""

from __future__ import annotations

import json
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self

Object = dict[str, Any]
Call = tuple[str, Object]
"""A tool's name, and its input."""


class FakeModel:
    """The model: it answers each request that has tools with the next call, and with a text after the last one.

    `results` has what the tools gave back, by the ids of their calls.
    """

    def __init__(self) -> None:
        self.results: dict[str, str] = {}
        self._calls: deque[Call] = deque()
        self._count = 0
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def will_call(self, tool: str, given: Object) -> str:
        """Have the next answer call a tool; returns the id of the call."""
        with self._lock:
            self._calls.append((tool, given))
            return f"toolu_{self._count + len(self._calls)}"

    def answer(self, request: Object) -> list[Object]:
        """Return the content of the answer to a request."""
        with self._lock:
            for message in request.get("messages", []):
                if isinstance(message["content"], list):
                    for item in message["content"]:
                        if item["type"] == "tool_result":
                            self.results[item["tool_use_id"]] = _text(item.get("content"))
            if not self._calls or not request.get("tools"):
                return [{"type": "text", "text": "Done."}]
            tool, given = self._calls.popleft()
            self._count += 1
            return [{"type": "tool_use", "id": f"toolu_{self._count}", "name": tool, "input": given}]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Say nothing."""

            def do_HEAD(self) -> None:
                self._send(200, "text/plain", b"")

            def do_GET(self) -> None:
                self._send(404, "application/json", b"{}")

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
                path = self.path.partition("?")[0]
                if path.endswith("/count_tokens"):
                    self._send(200, "application/json", b'{"input_tokens": 1000}')
                elif path.endswith("/messages"):
                    message = _message(request, model.answer(request))
                    if request.get("stream"):
                        self._send(200, "text/event-stream", _stream(message))
                    else:
                        self._send(200, "application/json", json.dumps(message).encode())
                else:
                    self._send(404, "application/json", b"{}")

            def _send(self, status: int, type_: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", type_)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(item.get("text", "")) for item in content or [])


def _message(request: Object, content: list[Object]) -> Object:
    return {
        "id": f"msg_{id(content)}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model", "fake"),
        "content": content,
        "stop_reason": content[0]["type"] if content[0]["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }


def _stream(message: Object) -> bytes:
    """Return a message as the events of a stream."""
    events: list[Object] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    ]
    for index, item in enumerate(message["content"]):
        if item["type"] == "text":
            begun, delta = {**item, "text": ""}, {"type": "text_delta", "text": item["text"]}
        else:
            begun = {**item, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(item["input"])}
        events += [
            {"type": "content_block_start", "index": index, "content_block": begun},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events += [
        {"type": "message_delta", "delta": ended, "usage": message["usage"]},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()
