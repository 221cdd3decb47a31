"""How paths below a watched folder are written.

A path here is relative to that folder, with `/` between its parts; the folder itself is the empty path.
"""

from __future__ import annotations


def readable(path: str) -> str:
    r"""Write a path so that it can be sent and stored: bytes that are not UTF-8 become `\xNN`."""
    if path.isascii():
        return path
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def join(folder: str, name: str) -> str:
    """Return the path of `name` in a folder of the workspace."""
    return f"{folder}/{name}" if folder else name


def parent_of(path: str) -> str:
    """Return the folder that a path lies in."""
    return path.rpartition("/")[0]


def folders_above(path: str) -> list[str]:
    """Return the folders that a path lies in, from the nearest to the workspace itself."""
    above: list[str] = []
    while path:
        path = parent_of(path)
        above.append(path)
    return above
