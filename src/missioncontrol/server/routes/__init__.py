"""The HTTP routes, by noun."""
