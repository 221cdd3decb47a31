"""One place that messages go to, through apprise; and the only place that knows its URL.

Invariants:

- nothing of a URL that may be secret leaves this module: not in a label, an error or a log line;
- a service that hangs holds up nobody: each attempt has a thread of its own, which is given up after a time.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from missioncontrol.config import Level
from missioncontrol.errors import ConfigError
from missioncontrol.notify.chat import SERVICES, without_commands

if TYPE_CHECKING:
    from apprise import Apprise, NotifyBase

SEND_SECONDS = 30.0
MAX_HANGING = 3
"""How many attempts at one destination may hang at a time; before there are fewer, there is no further one."""

MAX_ERROR = 300
HIDDEN = "..."

_SCHEME = re.compile(r"([a-z][a-z0-9]{0,15})://", re.IGNORECASE)
_PARTS = re.compile(r"[/:@?&=#,\s]+")
_MASKED = re.compile(r"\*\*\*\*|\.\.\.")
_SHORTEST_SECRET = 4
# Where apprise takes a path or a topic for public that others use as a password.
_SECRET_PATHS = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "ntfy", "ntfys"})


class Destination:
    """A place that messages go to. `label` says which, without anything secret; `hanging` counts attempts that hang."""

    def __init__(self, url: str, plugin: NotifyBase, apprise: Apprise) -> None:
        self.label = _label(plugin)
        self.hanging = 0
        self._apprise = apprise
        self._reads_commands = self.label.partition("://")[0] in SERVICES
        self._secrets = _secrets(url, plugin, self.label)

    async def send(self, title: str, body: str, level: Level | None) -> str | None:
        """Try once to send a message; returns why it failed, None where it did not."""
        if self.hanging >= MAX_HANGING:
            return f"{self.hanging} earlier attempts have not come back."
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str | None] = loop.create_future()

        def come_back(error: str | None) -> None:
            self.hanging -= 1
            if not answer.done():
                answer.set_result(error)

        def work() -> None:
            error = self._try(title, body, level)
            # The loop may be closed by now.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(come_back, error)

        self.hanging += 1
        # A daemon: the process can end while it hangs.
        Thread(target=work, name="notify", daemon=True).start()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await answer
        except TimeoutError:
            return f"There was no answer within {SEND_SECONDS:g} seconds."

    def _try(self, title: str, body: str, level: Level | None) -> str | None:
        from apprise import NotifyFormat, NotifyType

        if self._reads_commands:
            title, body = without_commands(title), without_commands(body)
        kinds = {"critical": NotifyType.FAILURE, "warning": NotifyType.WARNING}
        try:
            result = self._apprise.notify(
                title=title,
                body=body,
                notify_type=kinds.get(level or "", NotifyType.INFO),
                body_format=NotifyFormat.TEXT,
            )
        except Exception as error:
            return self.scrub(f"{type(error).__name__}: {error}")
        if result:
            return None
        said = [entry.message for entry in result.logs()]
        return self.scrub(
            " ".join(dict.fromkeys(said)) or "The service did not take it, and says nothing more."
        )

    def scrub(self, text: str) -> str:
        """Hide whatever is secret of the URL, in any text."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return " ".join(text.split())[:MAX_ERROR]


def open_destinations(urls: Sequence[str], where: str) -> list[Destination]:
    """Make destinations of apprise URLs. Takes its time where apprise is not loaded yet: call it in a thread.

    Raises:
        ConfigError: apprise cannot use one of them; it is not repeated.
    """
    from apprise import Apprise, AppriseAsset

    _keep_quiet()
    # Everything is kept in memory, and nothing is given up but by us.
    asset = AppriseAsset(
        app_id="Mission Control",
        app_desc="Mission Control",
        async_mode=False,
        pgp_autogen=False,
        pem_autogen=False,
        storage_mode="memory",
        service_timeout=0,
    )
    found: list[Destination] = []
    for number, url in enumerate(urls, 1):
        plugin = Apprise.instantiate(url, asset=asset)
        if plugin is None:
            scheme = _SCHEME.match(url)
            begins = f", which begins with {scheme[0]}" if scheme else ""
            raise ConfigError(
                f"{where}: apprise cannot use the URL {number}{begins}. It is not repeated here, since it may have a "
                f"password in it; see https://appriseit.com/services/ for the form that each service wants."
            )
        apprise = Apprise(asset=asset)
        apprise.add(plugin)
        found.append(Destination(url, plugin, apprise))
    return found


def _keep_quiet() -> None:
    """Leave what may have a token in it out of the server's log; what went wrong is in apprise's results."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _label(plugin: NotifyBase) -> str:
    """Write where messages go, as far as it is no secret."""
    url: str = plugin.url(privacy=True)  # type: ignore[no-untyped-call]
    scheme, _, rest = url.partition("://")
    host, *path = rest.partition("?")[0].split("/")
    path = [unquote(part) for part in path if part]
    if scheme in _SECRET_PATHS:
        path = [part if _MASKED.search(part) else HIDDEN for part in path]
        if _text(plugin, "mode") == "cloud":
            host = HIDDEN
    return f"{scheme}://{'/'.join([host, *path])}"


def _secrets(url: str, plugin: NotifyBase, label: str) -> list[str]:
    """Return the parts of a URL that its label does not show, the longest first."""
    rest = url.partition("://")[2]
    parts = {*_PARTS.split(rest), *_PARTS.split(unquote(rest))}
    found = {part for part in parts if len(part) >= _SHORTEST_SECRET and part not in label}
    found |= {secret for name in ("password", "token") if len(secret := _text(plugin, name)) > 1}
    return sorted(found, key=len, reverse=True)


def _text(plugin: Any, name: str) -> str:
    value = getattr(plugin, name, None)
    return value if isinstance(value, str) else ""
