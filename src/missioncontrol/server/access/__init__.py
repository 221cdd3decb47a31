"""Who may come in, for every shell of the server alike: hosts and origins, tokens, scopes, the owner, browser
sessions, and the peers of loopback connections; `Access` puts them together."""

from missioncontrol.server.access.access import Access, check_bind
from missioncontrol.server.access.actors import check_actors, refuse_bound
from missioncontrol.server.access.headers import RawHeaders
from missioncontrol.server.access.loopback import tells_users
from missioncontrol.server.access.origins import Page, find_own_names, is_loopback
from missioncontrol.server.access.owner import Owner
from missioncontrol.server.access.peers import CALLER, PEER, Peer, Peers
from missioncontrol.server.access.scopes import ALL_SCOPES, ANONYMOUS, LOCAL_SCOPES, OPERATOR, Caller
from missioncontrol.server.access.sessions import KEY_HEADER, BrowserSession, BrowserSessions
from missioncontrol.server.access.tokens import (
    BEARER_SUBPROTOCOL,
    MAX_PARAMETERS,
    MIN_TOKEN_LENGTH,
    SUBPROTOCOL,
    bearer_token,
    check_query_names,
)

__all__ = [
    "ALL_SCOPES",
    "ANONYMOUS",
    "BEARER_SUBPROTOCOL",
    "CALLER",
    "KEY_HEADER",
    "LOCAL_SCOPES",
    "MAX_PARAMETERS",
    "MIN_TOKEN_LENGTH",
    "OPERATOR",
    "PEER",
    "SUBPROTOCOL",
    "Access",
    "BrowserSession",
    "BrowserSessions",
    "Caller",
    "Owner",
    "Page",
    "Peer",
    "Peers",
    "RawHeaders",
    "bearer_token",
    "check_actors",
    "check_bind",
    "check_query_names",
    "find_own_names",
    "is_loopback",
    "refuse_bound",
    "tells_users",
]
