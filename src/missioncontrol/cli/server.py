"""The server that a command speaks to."""

from __future__ import annotations

from typing import Any

import msgspec

from missioncontrol.cli.sentences import plain_json
from missioncontrol.cli.settings import owner_secret, read_token, read_url
from missioncontrol.client import Unreachable, call
from missioncontrol.events import Data
from missioncontrol.events.decoding import decode_json

USUAL_SECONDS = 10.0


class Server:
    """Answers over HTTP; `url` and `token` as the options that commands share, else as the environment says.

    With `owner` the command acts for the person at the terminal: unless a token is given, it sends the owner's secret
    to a running server of this user, and what the environment says to any other one.
    """

    def __init__(self, url: str | None, token: str | None, *, owner: bool = False) -> None:
        self.url = read_url(url)
        proof = owner_secret(self.url) if owner and token is None else None
        self._token = proof or read_token(token)

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
        answer = call(self.url, path, method=method, body=sent, token=self._token, timeout=timeout)
        try:
            return decode_json(answer)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Unreachable("What answers there is not a Mission Control server.") from None

    def text(self, path: str) -> str:
        """Ask for something that is text."""
        return call(self.url, path, token=self._token).decode("utf-8", "replace")


def sign_in_url(url: str, link: str) -> str:
    """Return the address that signs a browser in; what follows `#` is never sent to a server or written to a log."""
    return f"{url.rstrip('/')}/#sign-in={link}"


def print_json(value: Any) -> None:
    """Print JSON for programs that people look at, too."""
    print(plain_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))
