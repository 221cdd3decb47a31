"""The live screen: the stream in, keys in, a redraw whenever something changed, but never too many.

A redraw shows the fleet as it stands then: however many events come between two, the cost of drawing is the same.
What the connection says (lost, back) is drawn at once.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import time
from typing import Any

from missioncontrol.cli.signals import on_ending
from missioncontrol.cli.top.choices import Answer, ConnectionStatus, Mode, Quit, View
from missioncontrol.cli.top.fleet import Fleet, Picture, read_budget, read_newest
from missioncontrol.cli.top.keys import Keyboard
from missioncontrol.cli.top.lines import Screen, Styles
from missioncontrol.cli.top.view import lay_out, typed_at
from missioncontrol.client import Client, ClientError, ClientState, Refused, Unreachable

REDRAW_SECONDS = 0.25
"""The least time between two redraws for events: four a second are as many as anybody reads."""

KEY_SECONDS = 0.03
"""The same for keys, which are to be felt at once."""

BUDGET_SECONDS = 30.0
RECALLED_EVENTS = 100
MESSAGE_SECONDS = 6.0


class LiveScreen:
    """One run on a terminal; `run` ends when the person leaves or the server refuses."""

    def __init__(self, styles: Styles) -> None:
        self._screen = Screen(styles)
        self._terminal = _RawTerminal()
        self._fleet = Fleet()
        self._view = View()
        self._picture: Picture | None = None
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()
        self._left = asyncio.Event()
        self._lost = 0.0
        self._said_at = 0.0
        self._reason = ""
        self._errands: set[asyncio.Task[None]] = set()
        self.client: Client | None = None

    def connection(self, state: ClientState, reason: str) -> None:
        """Take a change of the connection; to be given to the client."""
        self._reason = reason
        self._lost = time()
        self._wake()

    async def run(self, client: Client) -> None:
        """Show the fleet until somebody leaves.

        Raises:
            ClientError: the server refuses.
        """
        self.client = client
        loop = asyncio.get_running_loop()
        on_ending(loop, lambda _: self._left.set())
        loop.add_signal_handler(signal.SIGWINCH, self._wake)
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._begin()
        try:
            with self._keys():
                async with client:
                    await self._go(client)
        finally:
            self._end()
        for errand in self._errands:
            errand.cancel()

    def _begin(self) -> None:
        self._terminal.begin()
        self._screen.forget()
        write(self._screen.enter())

    def _end(self) -> None:
        # A window that was closed cannot be written to any more.
        with suppress(OSError):
            write(self._screen.leave())
        self._terminal.end()

    def _suspend(self) -> None:
        """Give the terminal back to the shell (Ctrl-Z), and take it again when the shell says so."""
        self._end()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._begin()
        self._wake()

    async def _go(self, client: Client) -> None:
        work = [
            asyncio.create_task(job)
            for job in (self._follow(client), self._redraw(), self._ask(client), self._left.wait())
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                # The terminal is gone, and with it whoever looked at it.
                with suppress(OSError):
                    task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _follow(self, client: Client) -> None:
        async for item in client:
            self._fleet.take(item)
            self._changed.set()

    async def _ask(self, client: Client) -> None:
        """Ask for what the stream does not tell: what happened before it, and now and then the budget."""
        await client.ready()
        recalled = False
        while True:
            with suppress(Unreachable):
                if not recalled:
                    newest = await client.call(f"/api/system/events?limit={RECALLED_EVENTS}")
                    self._fleet.recall(read_newest(newest))
                    recalled = True
                self._fleet.budget = read_budget(await client.call("/api/tokens"))
                self._changed.set()
            await asyncio.sleep(BUDGET_SECONDS if recalled else 1.0)

    async def _redraw(self) -> None:
        """Draw, then wait: for a key hardly, for events a little, a second where nothing happens, since ages grow."""
        while True:
            self._changed.clear()
            self._urgent.clear()
            self._draw()
            await _within(self._urgent, REDRAW_SECONDS)
            if not self._urgent.is_set():
                await _within(self._changed, 1.0 - REDRAW_SECONDS)
            else:
                # What a paste, or a key that is held, brings at once is one redraw.
                await asyncio.sleep(KEY_SECONDS)

    def _wake(self) -> None:
        """Have it drawn at once."""
        self._urgent.set()
        self._changed.set()

    def _draw(self) -> None:
        now = time()
        view = self._view
        if view.message and now - self._said_at > MESSAGE_SECONDS:
            view.message = ""
        if self._picture is None or not view.paused:
            self._picture = self._fleet.picture(now)
        if view.mode is Mode.ANSWER and view.question(self._picture) is None:
            view.mode, view.message, self._said_at = Mode.TABLE, "The question is no longer open.", now
        size = os.get_terminal_size(sys.stdout.fileno())
        lines = lay_out(self._picture, view, self._lamp(now), (size.columns, size.lines), now)
        cursor = typed_at(view, lines, (size.columns, size.lines))
        write(self._screen.update(lines, (size.columns, size.lines), cursor))

    def _lamp(self, now: float) -> ConnectionStatus:
        state = ClientState.CONNECTING if self.client is None else self.client.state
        heard = self._fleet.heard
        match state:
            case ClientState.CONNECTED if self._view.paused:
                return ConnectionStatus("‖", "Paused", stale=False, heard=heard)
            case ClientState.CONNECTED if self._fleet.whole:
                return ConnectionStatus("●", "Live", stale=False, heard=heard)
            case ClientState.CONNECTED | ClientState.CONNECTING:
                return ConnectionStatus("○", "Connecting", True, heard, self._reason, known=self._fleet.whole)
            case ClientState.RECONNECTING:
                passed = int(now - self._lost)
                return ConnectionStatus("↻", f"Reconnecting, stale for {passed}s", True, heard, self._reason)
            case ClientState.CLOSED:
                return ConnectionStatus("✕", "Closed", True, heard, self._reason, known=self._fleet.whole)

    @contextmanager
    def _keys(self) -> Iterator[None]:
        """Listen to the keyboard, where there is one."""
        if not sys.stdin.isatty():
            yield
            return
        loop, descriptor, keyboard = asyncio.get_running_loop(), sys.stdin.fileno(), Keyboard()

        def read() -> None:
            try:
                data = os.read(descriptor, 4096)
            except OSError:
                data = b""
            if not data:
                loop.remove_reader(descriptor)
                self._left.set()
            for key in keyboard.read(data):
                self._press(key)

        loop.add_reader(descriptor, read)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)

    def _press(self, key: str) -> None:
        if self._picture is None:
            self._picture = self._fleet.picture(time())
        if key == "redraw":
            self._screen.forget()
        match self._view.press(key, self._picture):
            case Quit():
                self._left.set()
            case Answer() as answer:
                errand = asyncio.create_task(self._answer(answer))
                self._errands.add(errand)
                errand.add_done_callback(self._errands.discard)
        self._said_at = time()
        self._wake()

    async def _answer(self, answer: Answer) -> None:
        client, question, text = self.client, answer.question, answer.text
        if client is None:
            return
        try:
            await client.answer(question, text, by=_user(), digest=answer.digest)
            self._view.message = f"{question} is answered: {text}"
        except Refused as error:
            self._view.message = str(error)
        except ClientError as error:
            self._view.message = (
                f"The answer may not have arrived; see whether the question is still open. {error}"
            )
        self._said_at = time()
        self._wake()


async def _within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def write(text: str) -> None:
    """Write to the terminal at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


class _RawTerminal:
    """The keyboard's terminal: keys come one by one and unseen between `begin` and `end`."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[Any] = []

    def begin(self) -> None:
        if self._descriptor is not None:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)

    def end(self) -> None:
        if self._descriptor is not None:
            # A terminal that is gone needs nothing back.
            with suppress(termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
