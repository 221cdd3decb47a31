"""The Model Context Protocol: tools and resources for agents, at `/mcp` on every port of the server.

The tools are defined once, in `tools.py` and the files that it names, without the protocol's library: that is imported
by `protocol.py` alone, with the first request, since it is as large as the rest of the server.
"""
