"""Scopes, and the caller that has them.

Source of the rules: the table of scopes in `docs/explanation/security.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from missioncontrol.config import Scope
from missioncontrol.errors import Forbidden

ALL_SCOPES: frozenset[Scope] = frozenset({"read", "fleet", "publish", "answer", "admin"})
LOCAL_SCOPES: frozenset[Scope] = frozenset({"read", "publish"})
"""What a program of this user has on a server without tokens."""

FLEET_SCOPES: frozenset[Scope] = frozenset({"fleet"})
"""What a page of another port of this machine has on a server without tokens."""

OPERATOR = "operator"
"""The `by` of a person who proved to be the owner. No token may have this name."""

ANONYMOUS = "api"
"""The `by` of a program without a token."""

Kind = Literal["program", "page", "token", "session", "owner"]


class Caller(NamedTuple):
    """The program or person that makes a request.

    `name` is what events show as `by`: the token's name, `operator` for the owner, None for a program without a
    token. `agent` is the agent that the token is bound to, `home` what this host is called where a fleet has several.
    `kind` and `credential` identify what the caller came in
    by, so that it can be revoked: the hex digest of a token, or the id of a browser session.
    """

    name: str | None
    scopes: frozenset[Scope]
    agent: str | None = None
    kind: Kind = "program"
    credential: str | None = None
    home: str | None = None

    @property
    def by(self) -> str:
        """What events show as `by`."""
        return self.name or ANONYMOUS

    def may(self, scope: Scope) -> bool:
        """Return whether the caller has this scope; `read` includes `fleet`."""
        return scope in self.scopes or (scope == "fleet" and "read" in self.scopes)

    def require(self, scope: Scope) -> None:
        """Let the caller pass if it has this scope.

        Raises:
            Forbidden: it has not.
        """
        if self.may(scope):
            return
        needed = "'read' (or 'fleet')" if scope == "fleet" else repr(scope)
        if self.kind == "token":
            raise Forbidden(f"The token {self.name!r} lacks the scope {needed}; use one that has it.")
        if scope == "answer":
            raise Forbidden(
                "Only a person decides: sign in under Settings of the dashboard, with `mission-control sign-in`, "
                "or answer with `mission-control answer` on this machine."
            )
        if self.kind == "page":
            raise Forbidden(
                f"Pages of this origin lack the scope {needed}; add the origin to server.allowed_origins for the "
                f"scopes 'read' and 'publish', or use the server's own dashboard."
            )
        raise Forbidden(f"This needs the scope {needed}; sign in, or use a token that has it.")

    def agent_for(self, given: str | None) -> str | None:
        """Return the agent that the caller speaks for: its own if its token is bound to one, else as given.

        Args:
            given: the id that the request names, if any; of a bound agent it may be the full one, `scout@alpha`.

        Raises:
            Forbidden: the token is bound to another agent.
        """
        if self.agent is None:
            return given
        if given is None or given == self.agent:
            return self.agent
        short, _, host = given.partition("@")
        if short == self.agent and self.home in (None, host):
            return given
        raise Forbidden(
            f"The token {self.name!r} speaks for the agent {self.agent!r} alone, not for {given[:100]!r}; "
            f"leave the agent out, or use another token."
        )


def expand(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """Return the scopes of a token as a set; `admin` is all of them, and `answer` is in no other one."""
    found = frozenset(scopes)
    return ALL_SCOPES if "admin" in found else found


def for_foreign_page(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """Return what is left of a token's scopes where a page of another origin sends it: pages never decide."""
    return scopes - {"answer", "admin"}
