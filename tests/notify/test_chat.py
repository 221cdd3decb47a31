"""Messages to chat services mention no one and hide no address, whatever agents write into them."""

from __future__ import annotations

import pytest
from tests.notify.receiver import Receiver

from missioncontrol.notify.chat import without_commands
from missioncontrol.notify.destination import open_destinations

HOSTILE = (
    "@everyone see <!channel> <@U123> <@&42> <#C1> [bank](https://evil.example) <https://evil.example|bank>"
)


def test_no_mention_and_no_hidden_address_is_left() -> None:
    text = without_commands(HOSTILE)
    for command in ("@everyone", "<!channel", "<@", "@U123", "<#", "](", "<https:"):
        assert command not in text
    assert text.replace("\N{ZERO WIDTH SPACE}", "") == HOSTILE


@pytest.mark.parametrize(
    "text", ["a < b", "at 10 @ noon", "see https://example.com/a", "[done] (all)", "1 <2> 3"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert without_commands(text) == text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("scheme", "field", "changed"), [("mmost", "text", True), ("json", "message", False)]
)
async def test_only_a_service_that_reads_commands_gets_another_text(
    receiver: Receiver, scheme: str, field: str, changed: bool
) -> None:
    (destination,) = open_destinations(
        [f"{scheme}://127.0.0.1:{receiver.port}/0123456789abcdefghij"], "notify.urls"
    )
    assert await destination.send("title", HOSTILE, None) is None
    assert (HOSTILE not in receiver.messages[0][field]) is changed
    assert ("@everyone" not in receiver.messages[0][field]) is changed
