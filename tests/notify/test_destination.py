"""What is shown of an apprise URL, and what is not."""

from __future__ import annotations

import pytest

from missioncontrol.errors import ConfigError
from missioncontrol.notify.destination import open_destinations

SHOWN = [
    (
        "json://robot:pa55w0rd@127.0.0.1:8080/hook/s3cr3t?+X-Key=h34d3r",
        "json://robot:****@127.0.0.1:8080/.../...",
        ["pa55w0rd", "hook", "s3cr3t", "h34d3r"],
    ),
    (
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "slack://T...2/A...D/T...Q/#general",
        ["T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ"],
    ),
    (
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "slack://T...2/A...D/T...Q",
        ["T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ"],
    ),
    (
        "tgram://123456789:AAFabcdefghijklmnopqrstuvwxyz0123456/12315544/",
        "tgram://1...6/12315544",
        ["123456789", "AAFabcdefghijklmnopqrstuvwxyz0123456"],
    ),
    ("ntfy://my-own-topic", "ntfys://...", ["my-own-topic"]),
    (
        "ntfys://me:pa55w0rd@ntfy.example.com/topic",
        "ntfys://me:****@ntfy.example.com/...",
        ["pa55w0rd", "topic"],
    ),
    (
        "mailtos://me:app%40pa55@example.com?to=boss@example.com&smtp=mail.example.com",
        "mailtos://me:****@example.com/boss@example.com",
        ["app%40pa55", "app@pa55"],
    ),
    (
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "discord://4...8/J...s",
        ["JHMHI8qBe7bk2ZwO5U711o3dV_js"],
    ),
]


@pytest.mark.parametrize(("url", "label", "secrets"), SHOWN)
def test_a_label_says_where_without_what_is_secret(url: str, label: str, secrets: list[str]) -> None:
    (destination,) = open_destinations([url], "The rule 'r'")
    assert destination.label == label
    for secret in secrets:
        said = destination.scrub(
            f"Failed to POST to https://host/{secret}?key={secret}: 'x{secret}y' and <{secret}>."
        )
        assert secret not in label + said
        assert said.startswith("Failed to POST to https://host/...")


@pytest.mark.parametrize(
    "url", ["slack://pa55w0rd", "slak://pa55w0rd/x", "pa55w0rd", "", "json://", "mailto://pa55w0rd@"]
)
def test_a_url_that_cannot_be_used_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_destinations(["json://localhost", url], "The rule 'r'")
    assert "apprise cannot use the URL 2" in str(caught.value)
    assert "pa55w0rd" not in str(caught.value)
