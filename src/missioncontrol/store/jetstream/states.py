"""Folded states that nodes leave for each other in an object store, for one that has lost its copy."""

from __future__ import annotations

from typing import Any

from nats.js.api import ObjectStoreConfig
from nats.js.errors import BucketNotFoundError, NotFoundError

from missioncontrol.store.jetstream.link import REQUEST_SECONDS, Asking, StreamLink
from missioncontrol.store.log import StateCheckpoint

MAX_STATE_BYTES = 256 * 1024 * 1024
"""How large a state may be that is taken over."""


class SharedStates:
    """The object store of a link's stream; each epoch has one state in it, the newest."""

    def __init__(self, link: StreamLink, replicas: int) -> None:
        """Prepare; `replicas` is on how many servers states are kept."""
        self._link = link
        self._replicas = replicas

    async def save(self, checkpoint: StateCheckpoint) -> None:
        """Leave a state for the others.

        Raises:
            StoreError: NATS does not answer.
        """
        async with Asking():
            await (await self._bucket()).put(self._life, b"%d\n%b" % (checkpoint.id, checkpoint.state))

    async def load(self) -> StateCheckpoint | None:
        """Return the newest state that a node has left; None where there is none, or it is none.

        Raises:
            StoreError: NATS does not answer.
        """
        async with Asking():
            bucket = await self._bucket()
            try:
                if ((await bucket.get_info(self._life)).size or 0) > MAX_STATE_BYTES:
                    return None
                found = await bucket.get(self._life)
            except NotFoundError:
                return None
            id_, _, state = (found.data or b"").partition(b"\n")
            return StateCheckpoint(int(id_), state) if id_.isdigit() and len(id_) <= 18 else None

    @property
    def _life(self) -> str:
        return self._link.facts.epoch if self._link.facts is not None else ""

    async def _bucket(self) -> Any:
        name = f"{self._link.stream}_states"
        context = self._link.client.jetstream(timeout=REQUEST_SECONDS)
        try:
            return await context.object_store(name)
        except (BucketNotFoundError, NotFoundError):
            return await context.create_object_store(
                name, ObjectStoreConfig(bucket=name, replicas=self._replicas)
            )
