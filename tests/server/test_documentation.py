"""The reference documentation against the code: everything that exists is there, and nothing that does not."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.server.site import Site

from missioncontrol.config import ENVIRONMENT, Config, NotifyRule, TokenConfig, load_config
from missioncontrol.events import CATALOGUE
from missioncontrol.notify import read_rules
from missioncontrol.protocol.codes import CloseCode, GapReason
from missioncontrol.protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES
from missioncontrol.runtimes.registry import runtimes
from missioncontrol.server.metric_table import METRICS
from missioncontrol.server.problems import error_classes
from missioncontrol.server.responses import DEFAULT_SCOPE
from missioncontrol.server.routes.reference import build_openapi

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the table on a page whose first column is headed so."""
    rows: list[list[str]] = []
    inside = False
    for line in (REFERENCE / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            inside = False
        elif cells[0] == heading:
            inside = True
        elif inside and not set(line) <= set("|-"):
            rows.append(cells)
    return rows


def code(cell: str) -> str:
    assert cell.startswith("`"), f"{cell!r} should be code"
    return cell.strip("`")


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def settings(struct: type[msgspec.Struct], prefix: str = "") -> dict[str, Any]:
    """Every key of the file, with its default as TOML has it."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        if isinstance(default, msgspec.Struct):
            found |= settings(type(default), f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = default
    return found


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {}
    for key, default, _ in table("configuration.md", "key"):
        if key.startswith(("`server.tokens.", "`notify.rules.")):
            continue
        documented[code(key)] = None if default == "none" else tomllib.loads(f"x = {code(default)}")["x"]
    known = settings(Config)
    del known["sources.places"]
    assert documented == known | {f"sources.{name}": "auto" for name in runtimes()}


@pytest.mark.parametrize(
    ("struct", "prefix"), [(TokenConfig, "server.tokens."), (NotifyRule, "notify.rules.")]
)
def test_every_key_of_a_token_and_of_a_rule_is_documented(struct: type[msgspec.Struct], prefix: str) -> None:
    documented = {
        code(key).removeprefix(prefix): default
        for key, default, _ in table("configuration.md", "key")
        if key.startswith(f"`{prefix}")
    }
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    assert documented.keys() == fields.keys()
    for name, default in documented.items():
        if default == "required":
            assert fields[name].required
        elif default == "none":
            assert fields[name].default is None
        else:
            made = fields[name].default_factory
            assert ast.literal_eval(code(default)) == (
                fields[name].default if made is msgspec.NODEFAULT else made()
            )


def test_every_environment_variable_is_documented() -> None:
    documented = {code(variable): code(key) for variable, key in table("configuration.md", "variable")}
    assert documented == ENVIRONMENT


def test_the_examples_of_a_token_and_of_a_rule_are_accepted(tmp_path: Path) -> None:
    text = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    file = tmp_path / "config.toml"
    file.write_text("\n".join(re.findall(r"```toml\n(.*?)```", text, re.S)))
    assert load_config(file).server.tokens[0].name == "ops"
    assert [rule.name for rule in read_rules(load_config(file).notify)] == ["ops"]


@pytest.mark.anyio
async def test_every_path_is_documented_with_its_scope(site: Site) -> None:
    operations = {
        f"{method.upper()} {path}"
        for path, item in build_openapi(site.app)["paths"].items()
        for method in item
        if method in {"get", "post", "put", "patch", "delete"}
    }
    documented = {code(path): scope for path, scope, _ in table("http.md", "path")}
    assert documented.keys() == operations
    scopes = {}
    for route in site.app.routes:
        for handler in getattr(route, "route_handlers", []):
            for method in handler.http_methods:
                path = re.sub(r":str\}", "}", route.path)
                scope = handler.opt.get("scope", DEFAULT_SCOPE)
                scopes[f"{method} {path}"] = "-" if scope == "public" else scope
    assert documented == {operation: scopes[operation] for operation in operations}


def test_every_error_code_is_documented_with_its_status() -> None:
    documented = {code(word): int(status) for word, status, _ in table("http.md", "code")}
    expected = {error.code: error.status for error in error_classes()}
    assert documented == {**expected, "method_not_allowed": 405}


def test_every_metric_is_documented_with_its_kind() -> None:
    documented = {code(name): kind for name, kind, _ in table("metrics.md", "name")}
    expected = {
        figure.name + (f"{{{figure.label}}}" if figure.label else ""): figure.kind for figure in METRICS
    }
    assert documented == expected


def test_every_message_is_documented_with_its_fields() -> None:
    documented = {code(row[0]): names(row[1]) for row in table("messages.md", "type")}
    client = {
        str(message.__struct_config__.tag): [field.encode_name for field in msgspec.structs.fields(message)]
        for message in CLIENT_MESSAGES
    }
    server = {
        type_: [field.encode_name for field in msgspec.structs.fields(data)]
        for type_, data in SERVER_MESSAGES.items()
        if isinstance(data, type) and issubclass(data, msgspec.Struct)
    }
    rows = [(code(row[0]), names(row[1])) for row in table("messages.md", "type")]
    assert rows[: len(client)] == list(client.items())
    assert documented.keys() == client.keys() | SERVER_MESSAGES.keys()
    for type_, fields in rows[len(client) :]:
        assert fields == server.get(type_, [])


def test_every_close_code_and_gap_reason_is_documented() -> None:
    rows = table("messages.md", "code")
    assert {int(row[0]): row[1] for row in rows} == {code.value: code.name for code in CloseCode}
    assert [code(row[0]) for row in table("messages.md", "reason")] == [reason.value for reason in GapReason]


def test_every_event_type_is_documented_with_its_fields() -> None:
    documented = {code(row[0]): names(row[1]) for row in table("events.md", "type")}
    assert documented == {
        type_: [field.encode_name for field in msgspec.structs.fields(shape) if field.name != "timestamp"]
        for type_, shape in CATALOGUE.items()
    }


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in REFERENCE.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+\.md)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name} names {target}"
