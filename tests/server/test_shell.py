"""What every request meets before its route: hosts, origins, tokens, headers, HEAD, and the form of refusals."""

from __future__ import annotations

import gzip
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.server.site import ADMIN, PUBLISHER, READER, Site, check_problem

from missioncontrol.errors import DiskFull

pytestmark = pytest.mark.anyio

PATHS = ["/", "/health", "/api/agents", "/api/nothing", "/js/realtime.js", "/api/docs"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_foreign_host_is_refused_on_every_path(client: httpx.AsyncClient, path: str) -> None:
    check_problem(await client.get(path, headers={"host": "evil.example"}), 421, "misdirected")


async def test_two_hosts_are_refused(site: Site) -> None:
    request = httpx.Request(
        "GET", "http://localhost/api/agents", headers=[("host", "localhost"), ("host", "evil.example")]
    )
    response = await site.transport.handle_async_request(request)
    assert response.status_code == 421


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://localhost.evil.example"])
async def test_a_foreign_page_is_refused_on_every_path(
    client: httpx.AsyncClient, path: str, origin: str
) -> None:
    response = await client.get(path, headers={"origin": origin})
    check_problem(response, 403, "forbidden")
    assert "access-control-allow-origin" not in response.headers


async def test_a_cross_site_form_cannot_publish(site: Site, client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/api/events",
        content=b'{"type":"a:b"}',
        headers={"origin": "https://evil.example", "content-type": "text/plain"},
    )
    check_problem(response, 403, "forbidden")
    assert site.log.head == 0


async def test_a_page_of_this_machine_may_read_the_answer_but_without_credentials(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/api/agents", headers={"origin": "http://localhost:5173"})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert "access-control-allow-credentials" not in response.headers
    assert "origin" in response.headers["vary"]


async def test_an_allowed_origin_may_read_the_answer_with_credentials(guarded: Site) -> None:
    async with guarded.client(READER) as client:
        response = await client.get("/api/agents", headers={"origin": "https://fleet.example.com"})
    assert response.headers["access-control-allow-origin"] == "https://fleet.example.com"
    assert response.headers["access-control-allow-credentials"] == "true"


async def test_a_page_may_read_a_refusal_too(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/nothing", headers={"origin": "http://127.0.0.1:8080"})
    check_problem(response, 404, "not_found")
    assert response.headers["access-control-allow-origin"] == "http://127.0.0.1:8080"


async def test_the_servers_own_page_needs_no_cors_headers(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/agents", headers={"origin": "http://localhost:3001"})
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers


async def test_a_preflight_is_answered_without_a_token(guarded: Site) -> None:
    async with guarded.client() as client:
        response = await client.options(
            "/api/events",
            headers={
                "origin": "https://fleet.example.com",
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization",
            },
        )
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "https://fleet.example.com"
    assert "POST" in response.headers["access-control-allow-methods"]
    allowed = response.headers["access-control-allow-headers"].split(", ")
    # What a page sends: who it is, what it makes sure of, and to which trace it belongs.
    assert {"authorization", "idempotency-key", "if-match", "traceparent"} <= set(allowed)


async def test_a_preflight_of_a_foreign_page_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.options(
        "/api/events",
        headers={"origin": "https://evil.example", "access-control-request-method": "POST"},
    )
    check_problem(response, 403, "forbidden")


@pytest.mark.parametrize(
    "path",
    ["/api/agents", "/", "/api/nothing", "/api/docs", "/health", "/metrics", "/mcp", "/nothing", "/v1/logs"],
)
async def test_every_answer_has_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/api/agents", "/health", "/metrics", "/api/docs", "/api/openapi.json"])
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    head = await client.head(path, headers={"accept-encoding": "identity"})
    assert head.status_code == 200
    assert head.content == b""
    assert int(head.headers["content-length"]) > 0


async def test_there_is_no_head_for_a_stream_that_does_not_end(client: httpx.AsyncClient) -> None:
    response = await client.head("/api/events/stream")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, OPTIONS"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/api/agents", "GET, HEAD, OPTIONS"),
        ("DELETE", "/api/events", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    client: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    response = await client.request(method, path)
    check_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == allow


@pytest.mark.parametrize("refusal", ["gzip;q=0", "br, gzip; q=0.000", "identity", "notgzip"])
async def test_whoever_rules_gzip_out_gets_none(client: httpx.AsyncClient, refusal: str) -> None:
    plain = await client.get("/api/openapi.json", headers={"accept-encoding": refusal})
    assert "content-encoding" not in plain.headers
    packed = await client.get("/api/openapi.json", headers={"accept-encoding": "br;q=0, GZIP;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/agents", "GET, HEAD, OPTIONS"),
        ("/api/events", "GET, HEAD, OPTIONS, POST"),
        ("/api/tasks/TASK-0001", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/api/events/stream", "GET, OPTIONS"),
        ("/v1/traces", "OPTIONS, POST"),
    ],
)
async def test_options_has_all_methods_of_a_path(client: httpx.AsyncClient, path: str, allow: str) -> None:
    response = await client.options(path)
    assert response.status_code == 204
    assert response.headers["allow"] == allow
    assert "nosniff" in response.headers["x-content-type-options"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/events"), ("PATCH", "/api/tasks/TASK-0001"), ("POST", "/api/hooks/claude")],
)
async def test_a_packed_body_is_refused_as_such_where_only_plain_ones_are_taken(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    body = gzip.compress(b'{"type": "a:b"}')
    response = await client.request(method, path, content=body, headers={"content-encoding": "gzip"})
    assert "gzip" in check_problem(response, 415, "unsupported_media_type")["detail"]
    plain = await client.post(
        "/api/events", content=b'{"type": "a:b"}', headers={"content-encoding": "identity"}
    )
    assert plain.status_code == 201


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/agents/a/b/c", "/api/../etc/passwd", "/api/%00", "/api"]
)
async def test_an_unknown_path_is_not_found(client: httpx.AsyncClient, method: str, path: str) -> None:
    problem = check_problem(await client.request(method, path), 404, "not_found")
    assert problem["instance"].isascii()


async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient) -> None:
    for query, parameter in [
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("limit=0x1", "limit"),
        ("wait=56", "wait"),
    ]:
        problem = check_problem(await client.get(f"/api/events?{query}"), 400, "bad_request")
        assert problem["parameter"] == parameter
        assert parameter in problem["detail"]


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        ("0", 1),
        ("-5", 1),
        ("3", 3),
        ("1001", 7),
        ("9" * 5_000, 7),
        ("-" + "9" * 5_000, 1),
        ("", 7),
        ("%20", 7),
    ],
)
async def test_a_limit_beyond_its_bounds_is_the_nearest_and_an_empty_one_none(
    client: httpx.AsyncClient, site: Site, limit: str, shown: int
) -> None:
    """Pages of the earlier system read an array, whatever they asked for."""
    for number in range(7):
        await site.tell("agent:statusChange", agentId=f"agent-{number}", status="é", note="x")
    for path in ("/api/system/events?events=agent", "/api/agents?x=%C3%A9"):
        answer = await client.get(f"{path}&limit={limit}")
        assert answer.status_code == 200, answer.text
        assert len(answer.json()) == shown
        if shown < 7:
            assert answer.headers["link"].endswith('rel="next"')


async def test_a_large_answer_is_compressed_where_that_is_asked_for(site: Site) -> None:
    for number in range(50):
        await site.tell("agent:statusChange", agentId=f"agent-{number}", status="busy")
    async with site.client() as client:
        packed = await client.get("/api/agents", headers={"accept-encoding": "gzip"})
        plain = await client.get("/api/agents", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 4


async def test_without_a_token_nothing_is_read_where_tokens_are_asked_for(guarded: Site) -> None:
    async with guarded.client() as client:
        for path in [
            "/api/agents",
            "/api/events",
            "/api/events/stream",
            "/api/snapshot",
            "/metrics",
            "/api/ws",
        ]:
            response = await client.get(path)
            check_problem(response, 401, "unauthorized")
            assert response.headers["www-authenticate"].startswith("Bearer")


async def test_scopes_are_kept_apart(guarded: Site) -> None:
    event = {"type": "build:done"}
    expected = {READER: (200, 403, 403), PUBLISHER: (403, 201, 403), ADMIN: (200, 201, 200)}
    for token, (read, publish, admin) in expected.items():
        async with guarded.client(token) as client:
            assert (await client.get("/api/agents")).status_code == read
            assert (await client.post("/api/events", json=event)).status_code == publish
            assert (await client.get("/api/system/connections")).status_code == admin


async def test_a_missing_scope_is_named(guarded: Site) -> None:
    async with guarded.client(PUBLISHER) as client:
        problem = check_problem(await client.get("/api/agents"), 403, "forbidden")
    assert "'read'" in problem["detail"]
    assert "'publisher'" in problem["detail"]


async def test_a_body_is_not_read_for_who_may_not_publish(guarded: Site) -> None:
    asked = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal asked
        asked = True
        yield b""

    async with guarded.client(READER) as client:
        response = await client.post("/api/events", content=body())
    check_problem(response, 403, "forbidden")
    assert not asked


async def test_a_token_in_the_url_is_refused_and_repeated_nowhere(
    guarded: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with guarded.client() as client:
            for path in ["/api/agents", "/", "/health"]:
                response = await client.get(path, params={"token": ADMIN})
                check_problem(response, 400, "bad_request")
                assert ADMIN not in response.text
                assert ADMIN not in str(response.headers)
    # The client of this test logs the URL itself.
    assert not [
        record for record in caplog.records if ADMIN in record.getMessage() and "httpx" not in record.name
    ]


async def test_an_unforeseen_error_is_told_without_its_inside_and_logged(
    site: Site, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    def explode() -> dict[str, Any]:
        raise RuntimeError("the secret inside")

    site.service.sources = explode
    response = await client.get("/api/files/watch")
    check_problem(response, 500, "internal")
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    logged = [record for record in caplog.records if record.getMessage() == "http.failed"]
    assert len(logged) == 1
    assert logged[0].exc_info is not None


async def test_a_full_disk_is_told_with_when_to_try_again(site: Site, client: httpx.AsyncClient) -> None:
    async def full(drafts: object) -> list[int]:
        raise DiskFull("There is no room for the log.", retry_after=2.5)

    site.log.append = full  # type: ignore[method-assign, assignment]
    response = await client.post("/api/events", json={"type": "a:b"})
    check_problem(response, 503, "disk_full")
    assert response.headers["retry-after"] == "3"


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
async def test_a_refusal_may_not_be_embedded_either(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.get("/health", headers=headers)
    assert response.status_code in (403, 421)
    assert response.headers["cross-origin-resource-policy"] == "same-origin"


async def test_only_the_client_script_may_be_embedded_by_pages_of_other_origins(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/js/realtime.js", "/js/realtime.mjs"):
        response = await client.get(path)
        assert response.status_code == 200
        assert response.headers["cross-origin-resource-policy"] == "cross-origin"
