"""Credentials and TLS towards NATS, with real servers that ask for them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import nkeys
import pytest
import trustme
from tests.nats_process import NatsProcess

from missioncontrol.config import load_config
from missioncontrol.errors import ConfigError, OpenError
from missioncontrol.events import Draft
from missioncontrol.store.jetstream import JetStreamLog, mirror

pytestmark = [pytest.mark.anyio, pytest.mark.nats]


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "FIRST_CONNECT_SECONDS", 1.5)


async def append_once(folder: Path, url: str, **cluster: str) -> list[int]:
    flags = {"log.url": url, **{f"cluster.{name}": value for name, value in cluster.items()}}
    log = await JetStreamLog.open(folder, load_config(flags=flags), "alpha")
    try:
        return await log.append([Draft("custom:event")])
    finally:
        await log.close()


async def test_a_server_with_tls_is_checked_and_may_ask_for_a_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("node.example")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, cert in (("server", server), ("client", client)):
        cert.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        cert.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    files = {name: str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key")}
    config = (
        f'tls {{ cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.key", '
        f'ca_file: "{tmp_path}/ca.pem", verify: true }}'
    )
    with NatsProcess(tmp_path / "nats", config=config) as nats:
        nats.start()
        url = nats.url.replace("nats:", "tls:")
        own = {"tls_cert": files["client.pem"], "tls_key": files["client.key"]}
        assert await append_once(tmp_path / "a", url, tls_ca=files["ca.pem"], **own) == [1]
        with pytest.raises(OpenError, match="certificate verify failed"):
            await append_once(tmp_path / "b", url, **own)
        with pytest.raises(OpenError, match="No log can be had"):
            await append_once(tmp_path / "c", url, tls_ca=files["ca.pem"])


def test_files_of_tls_that_are_not_there_are_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(ConfigError, match=r"cluster\.tls_ca.*no such file"):
        load_config(flags={"log.url": "tls://nats:4222", "cluster.tls_ca": missing})
    with pytest.raises(ConfigError, match="go together"):
        load_config(flags={"log.url": "tls://nats:4222", "cluster.tls_cert": missing})


class Identity:
    """An operator, account or user, as `nsc` makes them (https://docs.nats.io, "JWT")."""

    def __init__(self, prefix: int) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), prefix)
        self._pair = nkeys.from_seed(bytearray(self.seed))
        self.public = self._pair.public_key.decode()

    def vouch(self, other: Identity, claims: dict[str, Any]) -> str:
        """Sign a JWT about another one, or about oneself."""
        body = {"iat": 1_700_000_000, "iss": self.public, "sub": other.public, "name": "test", "nats": claims}
        digest = hashlib.sha256(json.dumps(body).encode()).digest()
        body["jti"] = base64.b32encode(digest).decode().rstrip("=")
        parts = [encoded({"typ": "JWT", "alg": "ed25519-nkey"}), encoded(body)]
        signature = self._pair.sign(".".join(parts).encode())
        return ".".join([*parts, base64.urlsafe_b64encode(signature).decode().rstrip("=")])


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


async def test_a_credentials_file_lets_a_node_in(tmp_path: Path) -> None:
    operator = Identity(nkeys.PREFIX_BYTE_OPERATOR)
    account, user = Identity(nkeys.PREFIX_BYTE_ACCOUNT), Identity(nkeys.PREFIX_BYTE_USER)
    system = Identity(nkeys.PREFIX_BYTE_ACCOUNT)
    any_number = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    stores = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
    account_jwt = operator.vouch(
        account, {"type": "account", "version": 2, "limits": {**any_number, **stores, "wildcards": True}}
    )
    user_jwt = account.vouch(user, {"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1})
    credentials = tmp_path / "node.creds"
    credentials.write_text(
        f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{bytes(user.seed).decode()}\n------END USER NKEY SEED------\n"
    )
    operator_jwt = operator.vouch(operator, {"type": "operator", "version": 2})
    system_jwt = operator.vouch(system, {"type": "account", "version": 2, "limits": any_number})
    config = (
        f"operator: {operator_jwt}\nsystem_account: {system.public}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {account.public}: {account_jwt}, {system.public}: {system_jwt} }}"
    )
    with NatsProcess(tmp_path / "nats", config=config) as nats:
        nats.start()
        assert await append_once(tmp_path / "a", nats.url, credentials=str(credentials)) == [1]
        with pytest.raises(OpenError, match="Authorization"):
            await append_once(tmp_path / "b", nats.url)
