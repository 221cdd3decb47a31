"""HTTP to the server: its address, its verdicts, and requests that are repeated until they are answered.

The token goes into a header and nowhere else: not into a URL, an error or a `repr`.
"""

from __future__ import annotations

import asyncio
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Protocol

import aiohttp
import msgspec

from missioncontrol.client.items import ClientError, Refused, Unreachable, Unsuitable
from missioncontrol.client.route import reconnect_backoff
from missioncontrol.config import DEFAULT_URL
from missioncontrol.errors import ConfigError

MAX_DETAIL = 200
USER_AGENT = "mission-control"
# Statuses that say "not now" though they are the client's.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class Address:
    """Where a server is: `http://HOST:PORT`, with a path in front where it stands behind a proxy.

    A WebSocket address of the server (`ws://HOST:PORT/api/ws`) names the same server.
    """

    def __init__(self, url: str) -> None:
        """Read the address.

        Raises:
            ConfigError: it is not one.
        """
        text = url if "://" in url else f"http://{url}"
        try:
            parts = urllib.parse.urlsplit(text)
            parts.port  # noqa: B018 - raises where it is not a number
        except ValueError as error:
            raise ConfigError(f"{url!r} is not the address of a server: {error}.") from None
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        if scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ConfigError(
                f"A server's address has the form {DEFAULT_URL}, without a name or password in it."
            )
        path = parts.path.rstrip("/").removesuffix("/api/ws").rstrip("/")
        self.base = f"{scheme}://{parts.netloc}{path}"

    def http(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Return the URL of a path that begins with a slash."""
        return self.base + path + _query(query)

    def websocket(self, query: Mapping[str, str] | None = None) -> str:
        """Return the URL of the WebSocket."""
        return "ws" + self.base.removeprefix("http") + "/api/ws" + _query(query)

    def __str__(self) -> str:
        return self.base


def _query(query: Mapping[str, str] | None) -> str:
    # Cursors and patterns stay readable in a server's access log: ':', ',' and '*' may stand in a query.
    return "?" + urllib.parse.urlencode(query, safe=":,*") if query else ""


def credentials(token: str | None) -> dict[str, str]:
    """Return the headers that say who asks.

    Raises:
        ConfigError: the token cannot be put into a header.
    """
    if token is None:
        return {}
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ConfigError("The token has characters that a token cannot have; copy it again.")
    return {"Authorization": f"Bearer {token}"}


class _Problem(msgspec.Struct):
    detail: str = ""
    title: str = ""


_problems = msgspec.json.Decoder(_Problem)


class _Headers(Protocol):
    def get(self, name: str, default: str, /) -> str: ...


def verdict(status: int, headers: _Headers, body: bytes, *, final: bool = True) -> ClientError:
    """Make the error for an answer that is not a success.

    A 4xx (or a redirect) is final; unless `final` is False and the answer does not come from the server itself,
    but from something on the way that does not know the transport.
    """
    media_type = headers.get("Content-Type", "").partition(";")[0].strip()
    of_server = media_type == "application/problem+json"
    detail = (
        " ".join(body[:MAX_DETAIL].decode(errors="replace").split()) if media_type == "text/plain" else ""
    )
    if of_server:
        try:
            problem = _problems.decode(body)
            detail = problem.detail or problem.title
        except (msgspec.MsgspecError, UnicodeDecodeError):
            of_server = False
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "an unknown status"
    message = f"The server answers {status} ({phrase})" + (f": {detail}" if detail else ".")
    if 300 <= status < 500 and status not in _PASSING and (of_server or final):
        return Refused(message, http_status=status)
    if not of_server and status not in _PASSING and not final:
        return Unsuitable(message)
    return Unreachable(message, retry_after=_seconds(headers.get("Retry-After", "")), body=body)


def _seconds(text: str) -> float | None:
    try:
        return min(3600.0, max(0.0, float(text)))
    except ValueError:
        return None


def said_by(error: BaseException) -> str:
    """Put an exception of a library into words."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return str(error) or type(error).__name__


class Api:
    """Requests to one server over one session."""

    def __init__(self, address: Address, token: str | None, session: aiohttp.ClientSession) -> None:
        self.address = address
        self._headers = credentials(token)
        self._session = session

    async def attempt(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout: float,  # noqa: ASYNC109 - the library's own, it also bounds the connecting
    ) -> bytes:
        """Ask once; `timeout` in seconds.

        Raises:
            Refused: the server says no.
            Unreachable: there was no answer, or it says to try later.
        """
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            async with self._session.request(
                method,
                self.address.http(path, query),
                data=body,
                headers=headers,
                allow_redirects=method == "GET",
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                answer = await response.read()
                if response.status >= 300:
                    raise verdict(response.status, response.headers, answer)
                return answer
        except TimeoutError:
            raise Unreachable(f"{self.address} has not answered within {timeout:g} seconds.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{self.address} cannot be reached: {said_by(error)}.") from None

    async def insist(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str = "application/json",
        deadline: float,
    ) -> bytes:
        """Ask until there is an answer, for `deadline` seconds at most.

        Raises:
            Refused: the server says no.
            Unreachable: there was no answer in time.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline
        backoff = reconnect_backoff()
        while True:
            left = max(0.001, until - loop.time())
            try:
                return await self.attempt(
                    method, path, body=body, content_type=content_type, timeout=min(left, 15.0)
                )
            except Unreachable as failure:
                delay = backoff.next(failure.retry_after)
                if loop.time() + delay >= until:
                    raise Unreachable(
                        f"No answer within {deadline:g} seconds. The last attempt: {failure}"
                    ) from None
            await asyncio.sleep(delay)


def call(
    url: str,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    content_type: str = "application/json",
    token: str | None = None,
    timeout: float = 10.0,
) -> bytes:
    """Ask a server once, without an event loop, and return the body of its answer.

    Args:
        url: where the server is, `http://HOST:PORT`.
        path: what is asked for, from the first slash on, with its query.
        method: the HTTP method.
        body: what is sent along.
        content_type: what `body` is.
        token: for a server that asks for one.
        timeout: seconds to wait for each step of the answer.

    Raises:
        ConfigError: the address or the token is not one.
        Refused: the server says no.
        Unreachable: there was no answer, or it says to try later.
    """
    address = Address(url)
    headers = {"User-Agent": USER_AGENT, **credentials(token)}
    if body is not None:
        headers["Content-Type"] = content_type
    # Address lets nothing but http and https through.
    request = urllib.request.Request(address.http(path), data=body, headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        with error:
            raise verdict(error.code, error.headers, error.read()) from None
    except urllib.error.URLError as error:
        reason = error.reason
        said = said_by(reason) if isinstance(reason, BaseException) else str(reason)
        raise Unreachable(f"{address} cannot be reached: {said}.") from None
    except TimeoutError:
        raise Unreachable(f"{address} has not answered within {timeout:g} seconds.") from None
    except (OSError, HTTPException) as error:
        raise Unreachable(f"{address} cannot be reached: {said_by(error)}.") from None
