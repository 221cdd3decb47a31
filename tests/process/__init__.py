"""The promise, held against real server processes that are killed, stopped, starved and lied to."""
