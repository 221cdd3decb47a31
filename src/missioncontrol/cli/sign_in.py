"""`sign-in`: a link that signs a browser of this machine in as the owner."""

from __future__ import annotations

import sys
import webbrowser

from missioncontrol.cli.server import Server, sign_in_url
from missioncontrol.cli.settings import ClientToken, Open, Url


def sign_in(*, url: Url = None, token: ClientToken = None, open_: Open = False) -> int:
    """Print a link that signs one browser of this machine in, so that a person can decide there.

    The link works once, within 15 minutes. It needs the owner's secret of a server of this user, or a token with the
    scope `admin`.

    For example:

        mission-control sign-in
        mission-control sign-in --open
    """
    server = Server(url, token, owner=True)
    link = sign_in_url(server.url, server.ask("/api/session/links", "POST")["link"])
    print(link)
    if open_:
        sys.stdout.flush()
        webbrowser.open(link)
    return 0
