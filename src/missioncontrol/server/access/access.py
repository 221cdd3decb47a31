"""The rules of access put together: host, origin, and the caller behind a request.

Nothing here knows ASGI or sockets: headers come in as pairs, the connection as a `Peer`, and a refusal is an exception.

Order of the proofs: a token in the headers, else the browser session of one of the server's own pages, else, on a
server without tokens, that the request comes from this machine and this user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from missioncontrol.config import Config, TokenConfig
from missioncontrol.errors import ConfigError, Unauthorized
from missioncontrol.server.access.headers import RawHeaders, is_forwarded
from missioncontrol.server.access.origins import (
    HostsAndOrigins,
    Page,
    configured_origin,
    is_local_origin,
    is_loopback,
)
from missioncontrol.server.access.owner import Owner
from missioncontrol.server.access.peers import Peer, Peers
from missioncontrol.server.access.scopes import (
    ALL_SCOPES,
    FLEET_SCOPES,
    LOCAL_SCOPES,
    OPERATOR,
    Caller,
    for_foreign_page,
)
from missioncontrol.server.access.sessions import (
    COOKIE_PREFIX,
    BrowserSession,
    BrowserSessions,
    session_cookie,
    session_key,
)
from missioncontrol.server.access.tokens import Tokens, WrongTokens, bearer_token, check_query_names
from missioncontrol.server.forwarded import TrustedProxies

_LOCAL = Caller(None, LOCAL_SCOPES)
_NAMED_PAGE = Caller(None, LOCAL_SCOPES, kind="page")
_FOREIGN_PAGE = Caller(None, FLEET_SCOPES, kind="page")
_OWNER = Caller(OPERATOR, ALL_SCOPES, kind="owner")

_NEEDED = "A token is needed; send it as 'Authorization: Bearer TOKEN'."


class Access(HostsAndOrigins):
    """What the settings let in. Belongs to one server; `bound_host` is the address that it listens on."""

    def __init__(
        self,
        config: Config,
        bound_host: str | None = None,
        own_names: Callable[[], frozenset[str]] | None = None,
        *,
        owner: Owner | None = None,
        sessions: BrowserSessions | None = None,
        host_name: str | None = None,
    ) -> None:
        """Read the settings.

        Args:
            config: all settings.
            bound_host: the address that the server listens on; without it `server.host`.
            own_names: finds the names and addresses of this machine; for tests.
            owner: the owner's secret; without it one that no other process knows.
            sessions: the browser sessions; without it none, which end with the process.
            host_name: what this host is called in a fleet of several hosts.

        Raises:
            ConfigError: an entry of `allowed_origins` is no origin.
        """
        host = config.server.host if bound_host is None else bound_host
        super().__init__(config, host, own_names)
        self.tokens = Tokens(config.server.tokens, beyond_loopback=not is_loopback(host), home=host_name)
        self.owner = owner or Owner()
        self.sessions = sessions or BrowserSessions()
        self.peers = Peers()
        self.wrong_tokens = WrongTokens()
        self.cookie = f"{COOKIE_PREFIX}{self.owner.id}"

    @property
    def token_required(self) -> bool:
        """Whether programs need a token; without any in the settings those of this user need none."""
        return bool(self.tokens)

    def identify(
        self, headers: RawHeaders, page: Page, peer: Peer | None = None, address: str | None = None
    ) -> Caller:
        """Find out who makes a request.

        Args:
            headers: the request's headers.
            page: the page behind it, as `check_origin` returns it.
            peer: its connection; None counts as a program of this user, for applications without sockets.
            address: the address that wrong tokens are counted for.

        Raises:
            Unauthorized: a token is needed and there is none, or it is not known.
        """
        caller = self._identify(headers, page, peer, address)
        if peer is not None:
            peer.caller = caller
        return caller

    def _identify(self, headers: RawHeaders, page: Page, peer: Peer | None, address: str | None) -> Caller:
        token = bearer_token(headers)
        if token is not None:
            caller = self._of_token(token, headers, peer)
            if caller is not None:
                return (
                    caller._replace(scopes=for_foreign_page(caller.scopes))
                    if page.foreign and not page.trusted
                    else caller
                )
            if self.tokens or self._is_stranger(headers, peer):
                raise Unauthorized(
                    "The token is not known to this server; `mission-control token new` makes one.",
                    delay=self.wrong_tokens.seen(address),
                )
        elif page.trusted and (session := self.session_of(headers, peer)) is not None:
            return self.caller_of(session)
        if self.tokens:
            raise Unauthorized(_NEEDED)
        if is_forwarded(headers):
            raise Unauthorized(
                f"{_NEEDED} The request comes through a proxy, by its headers; "
                f"`mission-control token new` makes a token."
            )
        if peer is not None and peer.is_other_user:
            raise Unauthorized(
                f"{_NEEDED} The request comes from a program of another user of this machine; "
                f"`mission-control token new` makes a token."
            )
        if page.foreign and not page.trusted:
            return _NAMED_PAGE if page.named else _FOREIGN_PAGE
        return _LOCAL

    def _of_token(self, token: bytes, headers: RawHeaders, peer: Peer | None) -> Caller | None:
        # The secret of the owner is for commands on this machine: over a network or a proxy it proves nothing.
        if self.owner.is_secret(token) and not self._is_stranger(headers, peer):
            return _OWNER
        return self.tokens.find(token)

    @staticmethod
    def _is_stranger(headers: RawHeaders, peer: Peer | None) -> bool:
        return is_forwarded(headers) or (peer is not None and peer.is_other_user)

    @staticmethod
    def may_be_owner(headers: RawHeaders, peer: Peer | None) -> bool:
        """Return whether links, codes and what they have opened count here: in a program of this user, not forwarded.

        Root counts as well, as relays of virtual machines run as root.
        """
        return not is_forwarded(headers) and (peer is None or peer.may_be_owner)

    def session_of(self, headers: RawHeaders, peer: Peer | None) -> BrowserSession | None:
        """Return the browser session that both secrets of a request belong to; None where there is none.

        Whoever takes the port of a server that has stopped is sent both secrets by a tab that is still open. So a
        session opens no more than what it was opened with would on the same connection: the owner's counts where a
        link or a code would be taken, a token's wherever the token is.
        """
        cookie, key = session_cookie(headers, self.cookie), session_key(headers)
        session = None if cookie is None or key is None else self.sessions.find(cookie, key)
        if session is None or not self.is_open(session):
            return None
        return session if session.token is not None or self.may_be_owner(headers, peer) else None

    def is_open(self, session: BrowserSession) -> bool:
        """Return whether the token that a session was opened with is still valid; the owner's always is."""
        return session.token is None or self.tokens.get(session.token) is not None

    def caller_of(self, session: BrowserSession) -> Caller:
        """Return the caller of an open session."""
        if session.token is None:
            return _OWNER._replace(kind="session", credential=session.id)
        return cast("Caller", self.tokens.get(session.token))._replace(kind="session", credential=session.id)

    def authorize(
        self,
        headers: RawHeaders,
        *,
        query_names: Iterable[str] = (),
        secure: bool = False,
        peer: Peer | None = None,
        address: str | None = None,
    ) -> Caller:
        """Check query, origin and token at once, and return the caller.

        Args:
            headers: the request's headers.
            query_names: the names of its query parameters.
            secure: whether the request came over TLS.
            peer: its connection.
            address: the address that wrong tokens are counted for.

        Raises:
            InputError: a token was put into the URL.
            Forbidden: the page's origin is not allowed.
            Unauthorized: a token is needed and there is none, or it is not known.
        """
        check_query_names(query_names)
        return self.identify(headers, self.check_origin(headers, secure=secure), peer, address)

    def replace_tokens(self, tokens: Iterable[TokenConfig]) -> int:
        """Take the tokens of changed settings, end what was revoked, and return how many connections were closed."""
        self.tokens.replace(tokens)
        self.sessions.end_where(lambda one: not self.is_open(one))
        return self.close_revoked()

    def close_revoked(self, but: Peer | None = None) -> int:
        """Close the connections whose token or session is valid no more, and return their number.

        The connection `but` is left open: it is where the answer goes to.
        """
        return self.peers.close_unless(self._is_valid, "the token or session was revoked", but)

    def _is_valid(self, caller: Caller) -> bool:
        match caller.kind:
            case "token":
                known = self.tokens.get(caller.credential or "")
                return known is not None and (
                    caller == known or caller.scopes == for_foreign_page(known.scopes)
                )
            case "session":
                session = self.sessions.get(caller.credential or "")
                return session is not None and self.is_open(session) and self.caller_of(session) == caller
            case "owner":
                return True
        return not self.tokens


def check_bind(config: Config) -> None:
    """Refuse to start where anybody could come in.

    Raises:
        ConfigError: other machines can reach the server, over a proxy or with a page of theirs, and there is no token;
            an allowed origin is no origin, or a trusted proxy no address.
    """
    server = config.server
    origins = [(text, configured_origin(text)) for text in server.allowed_origins]
    TrustedProxies(server.trusted_proxies)
    if server.tokens:
        return
    ask = "run `mission-control token new` and put what it prints into the config file"
    if not is_loopback(server.host):
        raise ConfigError(
            f"server.host is {server.host!r}, which other machines can reach, so a token is needed: {ask}, "
            f"or use the host 127.0.0.1."
        )
    if server.trusted_proxies:
        raise ConfigError(
            f"server.trusted_proxies is set, so other machines can reach the server, and a token is needed: {ask}."
        )
    for text, origin in origins:
        if not is_local_origin(origin):
            raise ConfigError(
                f"server.allowed_origins has {text!r}, which is a page of another machine, so a token is needed: {ask}."
            )
