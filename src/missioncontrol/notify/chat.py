"""Texts for services that read commands in a text: a mention that notifies everybody, a link under another name.

What agents write goes into messages. `@everyone` or `<!channel>` in the name of a task would notify a whole team, and
`[your bank](https://evil.example)` would show a link that it is not. So an invisible character breaks these forms, and
the text looks as it did. Addresses themselves stay, since they show where they lead.
"""

from __future__ import annotations

import re

SERVICES = frozenset(
    {
        *(
            "discord",
            "guilded",
            "slack",
            "mmost",
            "mmosts",
            "rocket",
            "rockets",
            "matrix",
            "matrixs",
            "gchat",
        ),
        *("msteams", "workflows", "tgram", "zulip", "wxteams", "revolt", "lark", "feishu", "ryver", "twist"),
    }
)
"""The schemes of apprise's URLs for services that read mentions or markup in a plain text."""

_BREAK = "\N{ZERO WIDTH SPACE}"
# `@everyone`, `<@1234>`, `<!channel>`, `<#C12>`, `<https://evil.example|text>`, `[text](https://evil.example)`.
_COMMANDS = re.compile(r"@(?=[\w&!<])|<(?=[@#!:/a-z])|\](?=\()", re.IGNORECASE)


def without_commands(text: str) -> str:
    """Return a text that looks the same and mentions no one."""
    return _COMMANDS.sub(rf"\g<0>{_BREAK}", text)
