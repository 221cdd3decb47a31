"""The log of several nodes, over NATS JetStream.

`log` is the log itself; `outbox` sends what is appended, `mirror` keeps the local copy, `link` is the connection with
its stream, `follower` receives what the stream delivers, `message` is the form on the wire, `presence` has the nodes.
"""

from missioncontrol.store.jetstream.log import JetStreamLog

__all__ = ["JetStreamLog"]
