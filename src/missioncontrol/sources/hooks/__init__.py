"""What runtimes say themselves at the moment when it happens, by calling the server."""
