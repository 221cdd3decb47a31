"""List the modules of the sources that no test imports or mentions; `make coverage` prints it, a test holds the number.

A test that runs through a module without naming it may stop doing so without that anybody notices. Named is what a
test imports (`from missioncontrol.state import tokens`, `from missioncontrol.state.tokens import Tokens`), or writes
out (`missioncontrol.state.tokens`, `missioncontrol/state/tokens.py`). A package's `__init__` that only hands on names
is not asked for: who imports a name from it names the module that the name comes from.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES, TESTS = ROOT / "src" / "missioncontrol", ROOT / "tests"

MOST = 79
"""How many modules may be named by no test. This number only falls: lower it when a test names another one."""

_WRITTEN = re.compile(r"\bmissioncontrol(?:[./][a-z_0-9]+)+")


def modules(sources: Path = SOURCES) -> set[str]:
    """Return the dotted names of all modules that have code of their own."""
    found: set[str] = set()
    for path in sources.rglob("*.py"):
        parts = path.relative_to(sources.parent).with_suffix("").parts
        if parts[-1] != "__init__" and parts[-1] != "__main__":
            found.add(".".join(parts))
    return found


def named(tests: Path = TESTS) -> set[str]:
    """Return every dotted name that the tests import or write out."""
    found: set[str] = set()
    for path in tests.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found.update(_imported(ast.parse(text)))
        found.update(match[0].replace("/", ".").removesuffix(".py") for match in _WRITTEN.finditer(text))
    return found


def unnamed(sources: Path = SOURCES, tests: Path = TESTS) -> list[str]:
    """Return the modules that no test names, in order."""
    names, origins = named(tests), handed_on(sources)
    return sorted(modules(sources) - names - {origins[name] for name in names & origins.keys()})


def handed_on(sources: Path = SOURCES) -> dict[str, str]:
    """Return, by its dotted name, from which module each name comes that a package hands on."""
    found: dict[str, str] = {}
    for path in sources.rglob("__init__.py"):
        package = ".".join(path.relative_to(sources.parent).parent.parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                found.update((f"{package}.{alias.name}", node.module) for alias in node.names)
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    missing = unnamed()
    print(f"{len(missing)} of {len(modules())} modules are named by no test (at most {MOST}):")
    for name in missing:
        print(f"  {name}")
