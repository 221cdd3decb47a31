"""Write `src/client/catalogue.ts`: the server's catalogue of events as types of TypeScript.

Run by `make catalogue`; a test holds the file to what this would write.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec.inspect

from missioncontrol.events.catalogue import CATALOGUE

TARGET = Path(__file__).parent.parent / "src/client/catalogue.ts"

HEAD = """\
/** The types of event that the server tells, as it describes them. Made by `make catalogue`; not to be edited. */

import type { Data } from "./protocol";
"""

SIMPLE: dict[type, str] = {
    msgspec.inspect.StrType: "string",
    msgspec.inspect.IntType: "number",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.NoneType: "null",
    msgspec.inspect.AnyType: "unknown",
    msgspec.inspect.DictType: "Data",
}


def typescript() -> str:
    """Return the whole file."""
    parts = [HEAD]
    for type_, shape in CATALOGUE.items():
        parts.append(interface_of(type_, shape))
    names = "".join(f'  readonly "{type_}": {shape.__name__};\n' for type_, shape in CATALOGUE.items())
    parts.append(f"/** The data of each type of event. */\nexport interface EventDataByType {{\n{names}}}\n")
    constants = "".join(f'  {constant_of(type_)}: "{type_}",\n' for type_ in CATALOGUE)
    parts.append(f"export const EVENT_TYPES = {{\n{constants}}} as const;\n")
    return "\n".join(parts)


def interface_of(type_: str, shape: type) -> str:
    """Return the interface of one type's data."""
    info = msgspec.inspect.type_info(shape)
    if not isinstance(info, msgspec.inspect.StructType):
        raise TypeError(f"{shape} is no struct")
    fields = "".join(
        f"  readonly {field.encode_name}{'' if field.required else '?'}: {type_of(field.type)};\n"
        for field in info.fields
    )
    lines = [line.strip() for line in (shape.__doc__ or "").strip().splitlines()]
    doc = f"/** `{type_}`: {lines[0]} */" if len(lines) == 1 else block(type_, lines)
    return f"{doc}\nexport interface {shape.__name__} {{\n{fields}}}\n"


def block(type_: str, lines: list[str]) -> str:
    """Return a comment of several lines."""
    inside = "\n".join(f" * {line}".rstrip() for line in [f"`{type_}`: {lines[0]}", *lines[1:]])
    return f"/**\n{inside}\n */"


def type_of(info: Any) -> str:
    """Return a type in TypeScript."""
    if type(info) in SIMPLE:
        return SIMPLE[type(info)]
    if isinstance(info, msgspec.inspect.ListType):
        return f"readonly {type_of(info.item_type)}[]"
    if isinstance(info, msgspec.inspect.LiteralType):
        return " | ".join(f'"{value}"' for value in info.values)
    if isinstance(info, msgspec.inspect.UnionType):
        return " | ".join(type_of(one) for one in info.types)
    raise TypeError(f"{info} has no counterpart in TypeScript")


def constant_of(type_: str) -> str:
    """Return the name of a type's constant: `agent:statusChange` is AGENT_STATUS_CHANGE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|:", "_", type_).upper()


if __name__ == "__main__":
    TARGET.write_text(typescript())
