"""The signals that ask a command to end, and what is done with them.

SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal was closed) and SIGQUIT (Ctrl-backslash) all ask for an orderly end. A
SIGHUP or SIGQUIT that the parent has set to be ignored stays ignored, so that `nohup mission-control serve` works.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # This module is the first that a server imports, and is to be there soon.
    import asyncio

_ALWAYS = ("SIGINT", "SIGTERM")
_UNLESS_IGNORED = ("SIGHUP", "SIGQUIT")


def ending_signals() -> list[signal.Signals]:
    """Return the signals of this system that ask for an end, without those that the parent has set to be ignored."""
    return [
        number
        for name in (*_ALWAYS, *_UNLESS_IGNORED)
        if (number := getattr(signal, name, None)) is not None
        and (name in _ALWAYS or signal.getsignal(number) is not signal.SIG_IGN)
    ]


_before_early_end: list[Callable[[], object]] = []


@contextmanager
def end_early() -> Iterator[None]:
    """Within this, let a signal that asks for an end do so with status 0, until `on_ending` has it handled.

    A server that is still starting has promised nothing to any client, so the process ends at once.
    """

    def end(number: int, frame: FrameType | None) -> None:
        # No exception: an import or a callback might swallow it.
        for act in _before_early_end:
            with suppress(Exception):
                act()
        os._exit(0)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, end) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in former.items():
            if signal.getsignal(number) is end:
                signal.signal(number, handler)


def before_early_end(act: Callable[[], object]) -> None:
    """Have `act` called before a signal ends a server that is still starting."""
    _before_early_end.append(act)


def on_ending(loop: asyncio.AbstractEventLoop, act: Callable[[signal.Signals], object]) -> None:
    """Call `act` with each signal that asks for an end, on the loop."""
    for number in ending_signals():
        loop.add_signal_handler(number, act, number)


class Terminal:
    """The terminal that controls this process, if there is one."""

    def __init__(self) -> None:
        """Note whether there is one now."""
        self._had = _has_terminal()

    def is_gone(self) -> bool:
        """Return whether there was a terminal, and it was closed since."""
        return self._had and not _has_terminal()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True


@contextmanager
def as_keyboard_interrupt() -> Iterator[None]:
    """Let all signals that ask for an end do what Ctrl-C does, in a command without an event loop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, signal.default_int_handler) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def ignore_further() -> None:
    """Within `as_keyboard_interrupt`, let an orderly end go on undisturbed: a closed terminal sends SIGHUP twice.

    Only Ctrl-C still cuts it short.
    """

    def ignore(number: int, frame: FrameType | None) -> None:
        """Do nothing; unlike SIG_IGN this is not inherited by programs that are started."""

    if threading.current_thread() is threading.main_thread():
        for number in ending_signals():
            if number is not signal.SIGINT:
                signal.signal(number, ignore)


def show_threads_on(number: signal.Signals) -> None:
    """Write to standard error what every thread does whenever this signal comes.

    `faulthandler.register` would read the frames of threads that run on meanwhile, and ends the process with SIGSEGV
    soon. A handler in Python has the GIL, so that no other thread changes what it reads.
    """

    def show(_number: int, _frame: FrameType | None) -> None:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        lines = []
        for identity, frame in sys._current_frames().items():
            lines.append(f"Thread {names.get(identity, identity)} (most recent call first):")
            at: FrameType | None = frame
            while at is not None:
                lines.append(
                    f'  File "{at.f_code.co_filename}", line {at.f_lineno} in {at.f_code.co_qualname}'
                )
                at = at.f_back
        # Directly: the handler may have interrupted a write to `sys.stderr`, which must not be entered again.
        with suppress(OSError):
            os.write(2, "\n".join([*lines, ""]).encode(errors="backslashreplace"))

    signal.signal(number, show)
