"""The Python package `websockets`, as its documentation broadcasts: `broadcast()` over a set of connections.

Prints its port. Newline-separated events that arrive at /control go out one by one.
"""

import asyncio

from websockets.asyncio.server import ServerConnection, broadcast, serve

subscribers: set[ServerConnection] = set()


async def session(connection: ServerConnection) -> None:
    """Serve one connection: the publisher at /control, a subscriber anywhere else."""
    if connection.request is not None and connection.request.path == "/control":
        async for message in connection:
            for event in str(message).split("\n"):
                broadcast(subscribers, event)
        return
    subscribers.add(connection)
    try:
        await connection.wait_closed()
    finally:
        subscribers.discard(connection)


async def main() -> None:
    """Listen on a free port of the loopback interface until killed."""
    async with serve(session, "127.0.0.1", 0, backlog=4096) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
