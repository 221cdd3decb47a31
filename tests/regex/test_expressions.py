"""Every regular expression of the package is linear in the text that it reads.

They are found in the sources, so that a new one cannot be forgotten: what is compiled at the top of a module is checked
in the way in which it is used, and what is made while the program runs has examples here.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from tests.regex.linear import Mode, ambiguity

import missioncontrol
from missioncontrol.search.query import parse_query
from missioncontrol.search.text import _pattern

_PACKAGE = Path(missioncontrol.__file__).parent
_CALLS: dict[str, Mode] = {
    "match": "match",
    "fullmatch": "fullmatch",
    **dict.fromkeys(("search", "sub", "subn", "split", "findall", "finditer"), "search"),
}

MADE_AT_RUN_TIME = {
    # The rules of `redaction/rules.toml`, and the values of the environment; tests/redaction proves both.
    "redaction/redaction.py:_compiled",
    "redaction/redaction.py:values_expression",
    # Of the words of a query; see `test_what_a_query_is_made_into_is_linear`.
    "search/text.py:_pattern",
    # An escaped name, and after it parts of bounded length; it reads the names of files alone.
    "temporary.py:remove_left_over",
}

_SECTIONS = "a section ends before the next heading, so that no line is read twice"
EXCUSED = {
    "server/routes/dashboard.py:_HASHED": "it reads the names of files of the package itself",
    "fleet/tasks/markdown.py:_ACTIVE": _SECTIONS,
    "fleet/tasks/markdown.py:_HISTORY": _SECTIONS,
}
"""Expressions of which the proof fails, and why they are linear all the same, or why it does not matter."""


class Use(NamedTuple):
    """One expression, and how it is used."""

    name: str
    expression: re.Pattern[Any]
    mode: Mode


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(_PACKAGE.rglob("*.py")):
        yield path.relative_to(_PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _import(path: str) -> Any:
    parts = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return importlib.import_module(f"missioncontrol.{parts}".removesuffix(".__init__"))


def _is_re(node: ast.AST, *names: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in names
    )


def _functions(tree: ast.Module) -> dict[ast.AST, str]:
    """Return in which function each node is."""
    found: dict[ast.AST, str] = {}
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                found[node] = function.name
    return found


def _uses() -> tuple[list[Use], list[str]]:
    """Return all expressions with the ways in which they are used, and the places whose expression is not known."""
    trees = dict(_modules())
    called: dict[str, set[Mode]] = {}
    passed: set[str] = set()
    for path, tree in trees.items():
        methods = {
            id(node.value): node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr in _CALLS
        }
        for node in ast.walk(tree):
            name = (
                node.id
                if isinstance(node, ast.Name)
                else node.attr
                if isinstance(node, ast.Attribute)
                else None
            )
            if name is None or not isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
                continue
            name = f"{path}:{name}" if name.startswith("_") else name
            if id(node) in methods:
                called.setdefault(name, set()).add(_CALLS[methods[id(node)]])
            else:
                passed.add(name)
    uses: list[Use] = []
    unknown: list[str] = []
    for path, tree in trees.items():
        functions = _functions(tree)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if _is_re(node.value, "compile") and node not in functions and isinstance(target, ast.Name):
                    expression = getattr(_import(path), target.id)
                    key = f"{path}:{target.id}" if target.id.startswith("_") else target.id
                    # One that is handed over may be used in any way.
                    modes = {"search"} if key in passed else called.get(key, {"search"})
                    uses += (
                        Use(f"{path}:{target.id}", expression, cast("Mode", mode)) for mode in sorted(modes)
                    )
                    continue
        top = {
            id(node.value)
            for node in tree.body
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
        }
        for node in ast.walk(tree):
            if not _is_re(node, "compile", *_CALLS) or id(node) in top:
                continue
            assert isinstance(node, ast.Call)
            assert isinstance(node.func, ast.Attribute)
            name = f"{path}:{functions.get(node, '')}"
            given = node.args[0]
            if isinstance(given, ast.Constant):
                source = given.value
            elif isinstance(given, ast.Name) and isinstance(
                getattr(_import(path), given.id, None), (str, bytes)
            ):
                source = getattr(_import(path), given.id)
            else:
                unknown.append(name)
                continue
            uses.append(Use(name, re.compile(source), _CALLS.get(node.func.attr, "search")))
    return uses, unknown


USES, UNKNOWN = _uses()


def test_all_expressions_are_found() -> None:
    """An import of names from `re` would hide uses."""
    for path, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "re", path
            if isinstance(node, ast.Import):
                assert all(alias.asname is None for alias in node.names if alias.name == "re"), path
    assert len(USES) > 60


def test_what_is_made_while_the_program_runs_has_examples_here() -> None:
    assert set(UNKNOWN) == MADE_AT_RUN_TIME


@pytest.mark.parametrize("use", USES, ids=[f"{use.name} {use.mode}" for use in USES])
def test_the_expression_is_linear(use: Use) -> None:
    found = ambiguity(use.expression, use.mode)
    if use.name in EXCUSED:
        assert found is not None, "It is linear: take it off the list."
    else:
        assert found is None, f"{use.expression.pattern!r} as {use.mode}: {found}"


@pytest.mark.parametrize("query", ["a", "a a a", '"a b"', '"a a" a "aa a" a_a', "É é"])
def test_what_a_query_is_made_into_is_linear(query: str) -> None:
    expression = _pattern(tuple(parse_query(query).terms))
    assert expression is not None
    assert ambiguity(expression, "search") is None
