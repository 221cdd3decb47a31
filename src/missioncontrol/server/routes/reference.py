"""The generated reference: the OpenAPI and AsyncAPI documents, and one plain page that shows both.

The page is made here, in one piece and without scripts, so that it needs nothing from anywhere else and the
strictest content security policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, Response, get

from missioncontrol.server.asyncapi import build_asyncapi
from missioncontrol.server.problems import error_classes, title_of
from missioncontrol.server.responses import OPTIONAL_TOKEN, PUBLIC, AnyRequest, answer, documented
from missioncontrol.server.routes.system import VERSION

STYLE_PATH = "/api/docs.css"
STYLE = (Path(__file__).parent.parent / "reference.css").read_bytes()

OPENAPI = "openapi_document"
ASYNCAPI = "asyncapi_document"
PAGE = "docs_page"
MAKING = "documents_lock"

Object = dict[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")


@get(
    "/api/openapi.json",
    opt={"scope": PUBLIC},
    security=OPTIONAL_TOKEN,
    responses=documented(dict[str, Any]),
    tags=["reference"],
    summary="The OpenAPI document of the HTTP interface",
)
async def openapi_document(request: AnyRequest) -> Response[bytes]:
    """Return the OpenAPI 3.1 document."""
    return answer(await _made(request.app, OPENAPI), headers={"cache-control": "no-cache"})


@get(
    "/api/asyncapi.json",
    opt={"scope": PUBLIC},
    security=OPTIONAL_TOKEN,
    responses=documented(dict[str, Any]),
    tags=["reference"],
    summary="The AsyncAPI document of the WebSocket",
)
async def asyncapi_document(request: AnyRequest) -> Response[bytes]:
    """Return the AsyncAPI 3.0 document."""
    return answer(await _made(request.app, ASYNCAPI), headers={"cache-control": "no-cache"})


@get(
    "/api/docs",
    opt={"scope": PUBLIC},
    security=OPTIONAL_TOKEN,
    responses=documented(str, media_type="text/html", description="A page for people."),
    tags=["reference"],
    summary="Both documents as a page",
)
async def docs_page(request: AnyRequest) -> Response[bytes]:
    """Return the reference as a page."""
    return Response(
        await _made(request.app, PAGE),
        media_type="text/html",
        headers={"cache-control": "no-cache"},
    )


@get(STYLE_PATH, opt={"scope": PUBLIC}, include_in_schema=False)
async def docs_style(request: AnyRequest) -> Response[bytes]:
    """Return the style sheet of the page."""
    return Response(STYLE, media_type="text/css", headers={"cache-control": "no-cache"})


def build_openapi(app: Litestar) -> Object:
    """Make the OpenAPI document of an application."""
    document: Object = app.openapi_schema.to_schema()
    return document


async def _made(app: Litestar, name: str) -> bytes:
    """Make a document at the first request for it, and keep it: it cannot change while the server runs."""
    if name not in app.state:
        # It takes a few tenths of a second. Litestar's part of it is not made for two threads at once.
        async with app.state[MAKING]:
            if name not in app.state:
                app.state[name] = await asyncio.to_thread(_make, app, name)
    made: bytes = app.state[name]
    return made


def _make(app: Litestar, name: str) -> bytes:
    if name == OPENAPI:
        return msgspec.json.encode(build_openapi(app))
    if name == ASYNCAPI:
        return msgspec.json.encode(build_asyncapi(VERSION))
    return render_page(build_openapi(app), build_asyncapi(VERSION)).encode()


def render_page(openapi: Object, asyncapi: Object) -> str:
    """Write both documents as one page of HTML."""
    operations = list(_operations(openapi))
    messages = asyncapi["components"]["messages"]
    schemas = {**asyncapi["components"]["schemas"], **openapi["components"].get("schemas", {})}
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<title>Mission Control: reference</title>",
        f'<link rel="stylesheet" href="{STYLE_PATH}"></head><body>',
        "<h1>Mission Control</h1>",
        f'<p class="soft">Version {escape(openapi["info"]["version"])}. The same for programs: '
        '<a href="/api/openapi.json">OpenAPI</a>, <a href="/api/asyncapi.json">AsyncAPI</a>.</p>',
        f"<p>{_text(asyncapi['info']['description'])}</p>",
        "<nav><ul>",
        *(
            f'<li><a href="#{_anchor(method, path)}"><code>{method.upper()} {escape(path)}</code></a></li>'
            for method, path, _ in operations
        ),
        '<li><a href="#websocket">WebSocket messages</a></li>',
        '<li><a href="#events">Events</a></li>',
        '<li><a href="#problems">Problems</a></li>',
        '<li><a href="#shapes">Shapes</a></li>',
        "</ul></nav>",
        '<h2 id="http">HTTP</h2>',
        *(_render_operation(method, path, operation) for method, path, operation in operations),
        '<h2 id="websocket">WebSocket messages</h2>',
        f"<p>{_text(asyncapi['channels']['live']['description'])}</p>",
        *(
            _render_message(key, message, title)
            for start, title in (("client.", "from the client"), ("server.", "from the server"))
            for key, message in messages.items()
            if key.startswith(start)
        ),
        '<h2 id="events">Events</h2>',
        *(
            _render_message(key, message, "event")
            for key, message in messages.items()
            if key.startswith("event.")
        ),
        '<h2 id="problems">Problems</h2>',
        "<p>Every error is <code>application/problem+json</code> (RFC 9457). What its <code>code</code> means:</p>",
        "<table><thead><tr><th>code</th><th>status</th><th>meaning</th></tr></thead><tbody>",
        *(
            f'<tr id="problem-{error.code}"><td><code>{error.code}</code></td><td>{error.status}</td>'
            f"<td>{_text(title_of(error))}</td></tr>"
            for error in error_classes()
        ),
        '<tr id="problem-method_not_allowed"><td><code>method_not_allowed</code></td><td>405</td>'
        "<td>The path is right, the method is not.</td></tr>",
        "</tbody></table>",
        '<h2 id="shapes">Shapes</h2>',
        *(_render_schema(name, schema) for name, schema in sorted(schemas.items())),
        "</body></html>",
    ]
    return "\n".join(parts)


def _operations(openapi: Object) -> Iterable[tuple[str, str, Object]]:
    for path, item in sorted(openapi["paths"].items()):
        for method in _METHODS:
            if method in item:
                yield method, path, item[method]


def _render_operation(method: str, path: str, operation: Object) -> str:
    parts = [
        f'<h3 id="{_anchor(method, path)}"><span class="method">{method.upper()}</span> '
        f"<code>{escape(path)}</code></h3>",
        f"<p><strong>{_text(operation.get('summary', ''))}.</strong> {_text(operation.get('description', ''))}</p>",
    ]
    parameters = operation.get("parameters", [])
    if parameters:
        parts.append(
            "<table><thead><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr></thead><tbody>"
        )
        for parameter in parameters:
            schema = parameter.get("schema", {})
            parts.append(
                f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}</td>"
                f"<td>{_type(schema)}</td>"
                f"<td>{_text(parameter.get('description') or schema.get('description', ''))}</td></tr>"
            )
        parts.append("</tbody></table>")
    body = operation.get("requestBody")
    if body is not None:
        parts.append(f"<p>Body: {_text(body.get('description', ''))}</p>")
    parts.append("<table><thead><tr><th>status</th><th>body</th><th></th></tr></thead><tbody>")
    for status, response in sorted(operation.get("responses", {}).items()):
        content = response.get("content") or {}
        shapes = "<br>".join(
            f"<code>{escape(media_type)}</code> {_type(one.get('schema', {}))}"
            for media_type, one in content.items()
        )
        parts.append(f"<tr><td>{status}</td><td>{shapes}</td><td>{_text(response['description'])}</td></tr>")
    parts.append("</tbody></table>")
    return "\n".join(parts)


def _render_message(key: str, message: Object, title: str) -> str:
    payload = message["payload"]
    shape = _type(payload)
    if "properties" in payload:
        shape = _type(payload["properties"].get("data", {}))
    parts = [
        f'<h3 id="{escape(key)}"><code>{escape(message["name"])}</code> <span class="soft">{title}</span></h3>',
        f"<p>{_text(message['summary'])} {shape}</p>",
    ]
    for example in message.get("examples", []):
        text = msgspec.json.format(msgspec.json.encode(example["payload"]), indent=2).decode()
        parts.append(f"<pre><code>{escape(text)}</code></pre>")
    return "\n".join(parts)


def _render_schema(name: str, schema: Object) -> str:
    parts = [
        f'<h3 id="shape-{escape(name)}">{escape(name)}</h3>',
        f"<p>{_text(schema.get('description', ''))}</p>",
    ]
    properties = schema.get("properties", {})
    if properties:
        required = schema.get("required", [])
        parts.append("<table><thead><tr><th>key</th><th>type</th><th></th></tr></thead><tbody>")
        parts += [
            f"<tr><td><code>{escape(key)}</code></td><td>{_type(value)}</td>"
            f"<td>{'' if key in required else 'optional'}</td></tr>"
            for key, value in properties.items()
        ]
        parts.append("</tbody></table>")
    return "\n".join(parts)


def _type(schema: Object) -> str:
    """Write a schema in a few words, with a link where it is one of the shapes."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#shape-{name}">{name}</a>'
    for word in ("oneOf", "anyOf", "allOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[word]))
    if "const" in schema:
        return f"<code>{escape(repr(schema['const']))}</code>"
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    kind = schema.get("type", "any")
    kind = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if kind == "array" and "items" in schema:
        return f"array of {_type(schema['items'])}"
    bounds = [
        f"{word} {schema[key]:g}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema
    ]
    return escape(" ".join([kind, *bounds]))


def _text(text: str) -> str:
    """Escape a text, and show what stands in backquotes as code."""
    parts = escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}")
