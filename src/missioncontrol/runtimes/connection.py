"""How a runtime is connected: what `mission-control connect NAME` writes into its settings, or prints.

Everything here is about texts; the command reads and writes the files. Options are a dataclass whose fields are
annotated for cyclopts, so that they become options of the command.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar


@dataclass(frozen=True)
class Target:
    """The server to connect to: `url`, and the token that it needs.

    The token is in the environment variable `variable`, or `token` itself, to be written down in clear; both are None
    where the server needs none.
    """

    url: str
    variable: str | None = None
    token: str | None = None


@dataclass(frozen=True)
class NoOptions:
    """There are no further options."""


class Connection(ABC):
    """The connection of a runtime whose own commands or settings the user changes; see `SettingsConnection`."""

    what: ClassVar[str]
    """What connecting it brings, in a line."""

    help: ClassVar[str]
    """The help of `connect NAME`, with examples."""

    options: ClassVar[type[Any]] = NoOptions
    """The further options of `connect NAME`."""

    @abstractmethod
    def printed(self, target: Target, options: Any) -> str:
        """Return what the user is to run or to put into the settings.

        Raises:
            ConfigError: it cannot be connected so; the message says why.
        """


class SettingsConnection(Connection):
    """The connection of a runtime whose settings file the command changes."""

    disconnect_help: ClassVar[str]
    """The help of `disconnect NAME`, with examples."""

    file_options: ClassVar[type[Any]] = NoOptions
    """The options of both commands that say which settings file is meant."""

    @abstractmethod
    def settings_files(self, options: Any) -> list[Path]:
        """Return the settings file that is meant, and behind it others that may be connected too."""

    @abstractmethod
    def connected(self, text: str, target: Target, options: Any) -> str:
        """Return settings with our part in them, once.

        Raises:
            ConfigError: the text cannot be understood, or there is no place for our part.
        """

    @abstractmethod
    def disconnected(self, text: str) -> str:
        """Return settings without our part; everything else stays.

        Raises:
            ConfigError: the text cannot be understood.
        """

    @abstractmethod
    def connected_to(self, text: str) -> str | None:
        """Return the URL of the server that settings are connected to; None where they are not.

        Raises:
            ConfigError: the text cannot be understood.
        """

    @abstractmethod
    def written(self, target: Target, options: Any) -> str:
        """Return in a few words what is written."""

    def check(self, target: Target, options: Any) -> Any:
        """Check options before anything is printed or written; returns them, completed by what is found here.

        Raises:
            ConfigError: an option is wrong, or the runtime that is installed cannot be connected.
        """
        return options

    def remarks(self, text: str, target: Target, options: Any) -> list[str]:
        """Return what the user should know about the settings that were written."""
        return []
