"""What the stream of a fleet must be like."""

from __future__ import annotations

import logging

from nats.js.api import RetentionPolicy, StorageType, StreamConfig, StreamInfo

from missioncontrol.config import ClusterConfig
from missioncontrol.errors import OpenError
from missioncontrol.events import new_epoch
from missioncontrol.store.log import Retention

EPOCH = "mission-control-epoch"
"""The stream's metadata that says which life of the log it is."""

logger = logging.getLogger(__name__)


def stream_config(cluster: ClusterConfig, retention: Retention) -> StreamConfig:
    """Return the stream as this node would make it, with a new epoch."""
    return StreamConfig(
        name=cluster.stream,
        description="Mission Control: the events of a fleet, in one order",
        subjects=[f"{cluster.stream}.events.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=retention.seconds,
        max_bytes=retention.bytes,
        num_replicas=cluster.replicas,
        duplicate_window=min(cluster.duplicate_window, retention.seconds),
        allow_direct=True,
        allow_atomic=True,
        deny_delete=True,
        deny_purge=True,
        metadata={EPOCH: new_epoch()},
    )


def check_fit(info: StreamInfo, wanted: StreamConfig) -> None:
    """See whether a stream can be this log, and warn of settings that differ.

    Raises:
    OpenError: it cannot; the message says what to change.
    """
    found = info.config
    wrong: list[str] = []
    if sorted(found.subjects or []) != sorted(wanted.subjects or []):
        wrong.append(f"its subjects are {found.subjects}, not {wanted.subjects}")
    if found.mirror is not None or found.sources:
        wrong.append("it is filled from other streams")
    if (found.retention or RetentionPolicy.LIMITS) != RetentionPolicy.LIMITS:
        wrong.append(f"its retention is {found.retention!s}, not limits")
    if (found.max_msgs_per_subject or -1) > 0:
        wrong.append("it keeps only some messages of each subject")
    if (found.max_msg_size or -1) > 0:
        wrong.append("it limits the size of messages")
    if found.sealed:
        wrong.append("it is sealed")
    if not found.allow_atomic:
        wrong.append("it does not allow atomic batches (nats-server 2.12 or newer, allow_atomic)")
    if wrong:
        raise OpenError(
            f"The stream {wanted.name} does not fit: {'; '.join(wrong)}. Nothing was changed; name another one "
            f"with cluster.stream, or have this one changed."
        )
    for name, has, asked in (
        ("replicas", found.num_replicas, wanted.num_replicas),
        ("max_age", found.max_age, wanted.max_age),
        ("max_bytes", found.max_bytes, wanted.max_bytes),
    ):
        if has != asked:
            logger.warning("stream.differs", extra={"setting": name, "stream": has, "configured": asked})
