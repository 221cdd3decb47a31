"""What hostile neighbours do to a server, one step each; kept as JSON, so that a finding can be done again.

Paths are relative to the stage's folder, in which are the workspace (`workspace/`) and a home (`home/`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests.runtimes.installs import SAMPLES


class Write(msgspec.Struct, tag="write", omit_defaults=True):
    """Write a file; `how` is over what was there, at its end, or next to it and then renamed over it."""

    path: str
    text: str = ""
    data: bytes = b""
    how: Literal["over", "append", "rename"] = "over"


class Place(msgspec.Struct, tag="place"):
    """Put something else in a file's place; `large` is a sparse file of 200 MB, `short` cuts the file in half."""

    path: str
    kind: Literal["folder", "fifo", "link", "loop", "gone", "short", "large", "unreadable"]


class Sql(msgspec.Struct, tag="sql", omit_defaults=True):
    """Run statements on a database, each by itself; `schema` makes it first, where it is not there."""

    path: str
    statements: list[str]
    schema: Literal["", "agent", "state"] = ""


class Patch(msgspec.Struct, tag="patch"):
    """Overwrite bytes in the middle of a file; `at` in thousandths of its size."""

    path: str
    at: int
    data: bytes


class Request(msgspec.Struct, tag="request", omit_defaults=True):
    """Send a request; an answer of 500 is a finding."""

    path: str
    method: str = "POST"
    headers: dict[str, str] = {}
    text: str = ""
    data: bytes = b""


class Frames(msgspec.Struct, tag="frames", omit_defaults=True):
    """Open a WebSocket, send bytes as they are, and read what comes until it is silent."""

    data: bytes
    query: str = ""


class Store(msgspec.Struct, tag="store", omit_defaults=True):
    """Store a message in the stream that several nodes share."""

    subject: str
    data: bytes
    headers: dict[str, str] = {}


Step = Write | Place | Sql | Patch | Request | Frames | Store
LocalStep = Write | Place | Sql | Patch

LARGE = 200 * 1024 * 1024


class Finding(msgspec.Struct, omit_defaults=True):
    """Steps after which something did not hold, with what that was."""

    reader: str
    steps: list[Step]
    about: str = ""


def encode(finding: Finding) -> bytes:
    """Write a finding for people and for `decode`."""
    return msgspec.json.format(msgspec.json.encode(finding), indent=1) + b"\n"


def decode(data: bytes) -> Finding:
    """Read a finding."""
    return msgspec.json.decode(data, type=Finding)


def do_locally(root: Path, step: LocalStep) -> None:
    """Do a step that needs the file system alone. What cannot be done is passed over: chance may want anything."""
    path = root / step.path
    # Nothing outside of the stage is ever touched, not even through a link.
    assert Path(os.path.normpath(path)).is_relative_to(root)
    # What SQLite says of a damaged database may quote it, and then is not UTF-8.
    with suppress(OSError, sqlite3.Error, UnicodeDecodeError):
        _make_folder(root, path.parent)
        if not isinstance(step, Place) and not _is_plain(path):
            _remove(path)
        match step:
            case Write():
                _write(path, step)
            case Place():
                _place(root, path, step.kind)
            case Sql():
                _run(path, step)
            case Patch():
                with path.open("r+b") as file:
                    file.seek(path.stat().st_size * step.at // 1000)
                    file.write(step.data)


def _make_folder(root: Path, folder: Path) -> None:
    """Make a folder; whatever else is in the way of it goes."""
    for one in reversed([folder, *folder.parents]):
        if one.is_relative_to(root) and one != root and (one.is_symlink() or not one.is_dir()):
            one.unlink(missing_ok=True)
            one.mkdir()


def _is_plain(path: Path) -> bool:
    """Say whether this is a file, or nothing."""
    return not path.is_symlink() and (path.is_file() or not path.exists())


def _write(path: Path, step: Write) -> None:
    data = step.data or step.text.encode("utf-8", "surrogatepass")
    if step.how == "append":
        with path.open("ab") as file:
            file.write(data)
        return
    if step.how == "rename":
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(data)
        beside.rename(path)
    else:
        path.write_bytes(data)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _place(root: Path, path: Path, kind: str) -> None:
    if kind in ("short", "large", "unreadable") and not _is_plain(path):
        return
    if kind == "short":
        os.truncate(path, path.stat().st_size // 2)
    elif kind == "unreadable":
        path.chmod(0)
    elif kind == "large":
        with path.open("ab") as file:
            file.truncate(LARGE)
    else:
        _remove(path)
    match kind:
        case "folder":
            path.mkdir()
            (path / "inside").write_text("{}")
        case "fifo":
            os.mkfifo(path)
        case "link":
            (root / "elsewhere").write_text("{}")
            path.symlink_to(root / "elsewhere")
        case "loop":
            path.symlink_to(path.name)


def _run(path: Path, step: Sql) -> None:
    with _database(path, step.schema, 0.2) as connection:
        for statement in step.statements:
            with suppress(sqlite3.Error, UnicodeDecodeError):
                connection.execute(statement).fetchone()


def enter(path: Path, schema: str, statements: list[str]) -> None:
    """Run statements that must go well on a database, which is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _database(path, schema, 60.0) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def _database(path: Path, schema: str, patience: float) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=patience)) as connection:
        connection.create_function("octet_length", 1, _octets, deterministic=True)
        if schema and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript((SAMPLES / f"{schema}.sql").read_text(encoding="utf-8"))
        yield connection


def insertion(table: str, row: dict[str, Any]) -> str:
    """Write a statement that enters a row."""
    values = ", ".join(map(_literal, row.values()))
    return f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({values})"


def _literal(value: float | str | bytes | None) -> str:
    match value:
        case None:
            return "NULL"
        case bytes():
            return f"x'{value.hex()}'"
        case str():
            text = value.encode("utf-8", "replace")
            return (
                f"CAST(x'{text.hex()}' AS TEXT)"
                if b"\0" in text
                else "'" + text.decode().replace("'", "''") + "'"
            )
        case _:
            return repr(value)


def _octets(value: Any) -> int:
    return len(value if isinstance(value, bytes) else str(value).encode("utf-8", "replace"))
