"""A browser that is signed in as the owner, as tests need it that decide something."""

from __future__ import annotations

import httpx
from playwright.sync_api import Page

from missioncontrol.testing import ServerProcess


def make_link(server: ServerProcess) -> str:
    """Return what a one-time sign-in link carries."""
    headers = {"Authorization": f"Bearer {server.owner_secret}"}
    made = httpx.post(f"{server.url}/api/session/links", headers=headers).raise_for_status()
    return str(made.json()["link"])


def sign_in(page: Page, server: ServerProcess) -> None:
    """Give a page what a browser has after it has followed a link, before it is opened."""
    opened = httpx.post(f"{server.url}/api/session", json={"link": make_link(server)}).raise_for_status()
    (name, value), *_ = opened.cookies.items()
    page.context.add_cookies([{"name": name, "value": value, "url": server.url, "httpOnly": True}])
    key = opened.json()["key"]
    page.add_init_script(f"localStorage.setItem('mission-control:key', '{key}')")
