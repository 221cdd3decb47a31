"""The server that a command speaks to."""

from __future__ import annotations

from typing import Any

import msgspec

from missioncontrol.cli.settings import read_token, read_url
from missioncontrol.client import Unreachable, call
from missioncontrol.events import Data

USUAL_SECONDS = 10.0


class Server:
    """Answers over HTTP; `url` and `token` as the options that commands share, else as the environment says."""

    def __init__(self, url: str | None, token: str | None) -> None:
        self._url = read_url(url)
        self._token = read_token(token)

    def ask(
        self, path: str, method: str = "GET", body: Data | None = None, *, timeout: float = USUAL_SECONDS
    ) -> Any:
        """Ask, and return the answer.

        Args:
            path: with the query.
            method: what is to be done there.
            body: what is sent, as JSON.
            timeout: seconds to wait for the answer.

        Raises:
            Refused: the server says no.
            Unreachable: there was no answer.
        """
        sent = None if body is None else msgspec.json.encode(body)
        answer = call(self._url, path, method=method, body=sent, token=self._token, timeout=timeout)
        try:
            return msgspec.json.decode(answer)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Unreachable("What answers there is not a Mission Control server.") from None

    def text(self, path: str) -> str:
        """Ask for something that is text."""
        return call(self._url, path, token=self._token).decode("utf-8", "replace")


def print_json(value: Any) -> None:
    """Print JSON for programs that people look at, too."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
