"""The generated documents: valid, whole, and true to what the server says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import httpx
import jsonschema
import msgspec
import pytest
from tests.server.site import Site

from missioncontrol.events import CATALOGUE
from missioncontrol.protocol.messages import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    ClientCount,
    Connected,
    DrainNotice,
    Gap,
    Published,
    Subscribed,
    encode_message,
)
from missioncontrol.server.asyncapi import EXAMPLES, build_asyncapi, example_event
from missioncontrol.server.problems import error_classes

pytestmark = pytest.mark.anyio

ASYNCAPI: dict[str, Any] = build_asyncapi("1.2.3")


def validator(schema: dict[str, Any], document: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """Resolves references within the document."""
    whole = {"components": document["components"], **schema}
    return jsonschema.Draft202012Validator(whole)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for one in value.values() for found in references(one)]
    return [found for one in value for found in references(one)] if isinstance(value, list) else []


def resolve(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for part in reference[2:].split("/"):
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


async def openapi(site: Site) -> dict[str, Any]:
    async with site.client() as client:
        response = await client.get("/api/openapi.json")
    document: dict[str, Any] = response.json()
    return document


async def test_every_reference_in_both_documents_leads_somewhere(site: Site) -> None:
    for document in (ASYNCAPI, await openapi(site)):
        found = references(document)
        assert found
        for reference in found:
            resolve(document, reference)


async def test_every_schema_in_both_documents_is_a_json_schema(site: Site) -> None:
    for document in (ASYNCAPI, await openapi(site)):
        for schema in document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)


async def test_every_operation_has_a_summary_an_id_and_problem_details(site: Site) -> None:
    document = await openapi(site)
    assert document["openapi"].startswith("3.1")
    ids = set()
    for item in document["paths"].values():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            operation = item[method]
            assert operation["summary"]
            assert operation["description"]
            ids.add(operation["operationId"])
            for status, response in operation["responses"].items():
                if int(status) >= 400 and "application/json" not in response["content"]:
                    assert list(response["content"]) == ["application/problem+json"]
    assert len(ids) == sum(
        len(item.keys() & {"get", "post", "put", "patch", "delete"}) for item in document["paths"].values()
    )


async def test_bounds_of_parameters_are_documented(site: Site) -> None:
    document = await openapi(site)
    parameters = {one["name"]: one["schema"] for one in document["paths"]["/api/events"]["get"]["parameters"]}
    assert "maximum" not in parameters["limit"]
    assert (parameters["wait"]["minimum"], parameters["wait"]["maximum"]) == (0, 55)


async def test_answers_have_the_shapes_that_are_documented(site: Site) -> None:
    await site.tell("agent:statusChange", agentId="scout", status="busy")
    await site.tell("file:change", action="created", path="a", agentId="scout")
    document = await openapi(site)
    checked = 0
    async with site.client() as client:
        for path, item in document["paths"].items():
            if "get" not in item or path == "/api/events/stream":
                continue
            url = path.replace("{agent_id}", "scout").replace("{task_id}", "none")
            response = await client.get(url)
            content = item["get"]["responses"][str(response.status_code)]["content"]
            media_type = response.headers["content-type"].partition(";")[0]
            assert media_type in content, path
            if media_type.endswith("json"):
                validator(content[media_type]["schema"], document).validate(response.json())
                checked += 1
    assert checked > 15


async def test_tokens_are_documented_where_they_are_asked_for(site: Site, guarded: Site) -> None:
    assert "securitySchemes" not in (await openapi(site))["components"]
    document = await openapi(guarded)
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["security"]
    assert document["paths"]["/health"]["get"]["security"] == [{}]
    assert "security" not in document["paths"]["/api/agents"]["get"]


async def test_the_asyncapi_document_is_served(client: httpx.AsyncClient) -> None:
    served = (await client.get("/api/asyncapi.json")).json()
    assert served["asyncapi"] == "3.0.0"
    assert served["components"].keys() == ASYNCAPI["components"].keys()


# The parts of the AsyncAPI 3.0.0 specification that this document uses.
STRUCTURE: dict[str, Any] = {
    "type": "object",
    "required": ["asyncapi", "info"],
    "additionalProperties": False,
    "properties": {
        "asyncapi": {"const": "3.0.0"},
        "defaultContentType": {"type": "string"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "additionalProperties": False,
            "properties": {
                "title": {"type": "string"},
                "version": {"type": "string"},
                "description": {"type": "string"},
                "license": {"type": "object", "required": ["name"]},
            },
        },
        "servers": {
            "type": "object",
            "additionalProperties": {"type": "object", "required": ["host", "protocol"]},
        },
        "channels": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "address": {"type": ["string", "null"]},
                    "title": {"type": "string"},
                    "description": {"type": "string"},
                    "messages": {
                        "type": "object",
                        "propertyNames": {"pattern": r"^[\w\d\.\-_]+$"},
                        "additionalProperties": {"type": "object", "required": ["$ref"]},
                    },
                    "bindings": {"type": "object", "properties": {"ws": {"type": "object"}}},
                },
            },
        },
        "operations": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["action", "channel"],
                "additionalProperties": False,
                "properties": {
                    "action": {"enum": ["send", "receive"]},
                    "summary": {"type": "string"},
                    "channel": {"type": "object", "required": ["$ref"]},
                    "messages": {"type": "array", "items": {"type": "object", "required": ["$ref"]}},
                },
            },
        },
        "components": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "schemas": {"type": "object"},
                "messages": {
                    "type": "object",
                    "propertyNames": {"pattern": r"^[\w\d\.\-_]+$"},
                    "additionalProperties": {
                        "type": "object",
                        "required": ["payload"],
                        "additionalProperties": False,
                        "properties": {
                            "name": {"type": "string"},
                            "title": {"type": "string"},
                            "summary": {"type": "string", "minLength": 1},
                            "payload": {"type": "object"},
                            "examples": {"type": "array", "items": {"type": "object"}},
                        },
                    },
                },
            },
        },
    },
}


async def test_the_asyncapi_document_has_the_structure_of_the_specification() -> None:
    jsonschema.Draft202012Validator(STRUCTURE).validate(ASYNCAPI)


async def test_messages_of_operations_are_references_into_their_channel() -> None:
    messages = ASYNCAPI["channels"]["live"]["messages"]
    named = []
    for operation in ASYNCAPI["operations"].values():
        for message in operation["messages"]:
            assert message["$ref"].startswith("#/channels/live/messages/")
            named.append(message["$ref"].rpartition("/")[2])
    assert sorted(named) == sorted(messages)


async def test_every_message_and_event_is_in_the_asyncapi_document() -> None:
    messages = {key: message["name"] for key, message in ASYNCAPI["components"]["messages"].items()}
    tags = {str(message.__struct_config__.tag) for message in CLIENT_MESSAGES}
    assert {name for key, name in messages.items() if key.startswith("client.")} == tags
    assert {name for key, name in messages.items() if key.startswith("server.")} == SERVER_MESSAGES.keys()
    assert {name for key, name in messages.items() if key.startswith("event.")} == CATALOGUE.keys()
    assert EXAMPLES.keys() == CATALOGUE.keys()


@pytest.mark.parametrize("type_", list(CATALOGUE))
async def test_the_example_of_an_event_has_the_documented_shape(type_: str) -> None:
    key = "event." + type_.replace(":", ".")
    payload = ASYNCAPI["components"]["messages"][key]["payload"]
    example = example_event(type_)
    validator(payload, ASYNCAPI).validate(example)
    # And that of the Struct itself, all of whose keys the example has that a reader would look for.
    msgspec.convert(example["data"], CATALOGUE[type_], strict=True)
    with pytest.raises(jsonschema.ValidationError):
        validator(payload, ASYNCAPI).validate({**example, "type": "other:type"})


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe", "events": ["agent:*"], "since": "k3v9:1", "snapshot": True, "ref": 1},
        {"type": "subscribe", "events": "agent"},
        {"type": "unsubscribe", "events": ["*"]},
        {"type": "getHistory", "limit": 10},
        {"type": "publish", "events": [{"type": "a:b", "data": {}, "key": "k"}], "ref": "r"},
        {"type": "ping"},
        {"type": "pong"},
    ],
)
async def test_what_a_client_may_send_has_the_documented_shape(message: dict[str, Any]) -> None:
    payload = ASYNCAPI["components"]["messages"][f"client.{message['type']}"]["payload"]
    validator(payload, ASYNCAPI).validate(message)


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        (
            "connected",
            Connected("ws_1", "2026-11-23T10:15:00Z", "k3v9", "k3v9:1", 30.0, ["a:b"], "Connected"),
        ),
        ("subscribed", Subscribed(["agent:*"], "k3v9:1", True)),
        ("gap", Gap(from_=1, to=5, reason="trimmed", cursor="k3v9:5")),
        ("published", Published([1], "k3v9:1")),
        ("client:connected", ClientCount(3)),
        ("server:draining", DrainNotice(1.5)),
        ("history", [example_event("agent:removed")]),
    ],
)
async def test_what_the_server_sends_has_the_documented_shape(type_: str, data: Any) -> None:
    key = "server." + type_.replace(":", ".")
    payload = ASYNCAPI["components"]["messages"][key]["payload"]
    validator(payload, ASYNCAPI).validate(msgspec.json.decode(encode_message(type_, data, ref="r")))


class Page(HTMLParser):
    """Collects what a test wants to know of a page, and fails where a tag is not closed."""

    VOID = frozenset({"meta", "link", "br", "!doctype"})

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.inline: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href":
                (self.sources if tag == "link" else self.links).append(value or "")
            elif name in {"src", "style"} or name.startswith("on"):
                self.inline.append(f"{tag} {name}")
        if tag in {"script", "style"}:
            self.inline.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag


@pytest.fixture
async def page(site: Site) -> tuple[Page, str]:
    async with site.client() as client:
        text = (await client.get("/api/docs")).text
    parsed = Page()
    parsed.feed(text)
    return parsed, text


async def test_the_reference_page_needs_nothing_from_elsewhere(
    page: tuple[Page, str], client: httpx.AsyncClient
) -> None:
    parsed, _ = page
    assert parsed.inline == []
    assert parsed.sources == ["/api/docs.css"]
    style = await client.get("/api/docs.css")
    assert style.headers["content-type"].startswith("text/css")
    assert not re.search(r"url\(|@import|https?:", style.text)


async def test_the_links_of_the_reference_page_lead_somewhere(
    page: tuple[Page, str], client: httpx.AsyncClient
) -> None:
    parsed, _ = page
    assert len(parsed.ids) == len(set(parsed.ids))
    for link in set(parsed.links):
        if link.startswith("#"):
            assert link[1:] in parsed.ids, link
        else:
            assert (await client.get(link)).status_code == 200


async def test_the_reference_page_has_everything(page: tuple[Page, str], site: Site) -> None:
    parsed, text = page
    for path in (await openapi(site))["paths"]:
        assert path in text
    for type_ in [*CATALOGUE, *SERVER_MESSAGES]:
        assert f"<code>{type_}</code>" in text
    for error in error_classes():
        assert f"problem-{error.code}" in parsed.ids


async def test_the_type_of_a_problem_leads_to_its_explanation(
    page: tuple[Page, str], client: httpx.AsyncClient
) -> None:
    parsed, _ = page
    for url in ("/api/nothing", "/api/events?since=x", "/api/events?limit=x"):
        path, _, anchor = (await client.get(url)).json()["type"].partition("#")
        assert path == "/api/docs"
        assert anchor in parsed.ids
    assert "problem-method_not_allowed" in parsed.ids
