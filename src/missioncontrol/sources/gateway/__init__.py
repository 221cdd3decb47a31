"""The gateway: what Sentry writes of it, and what it says itself."""

from missioncontrol.sources.gateway.source import Gateway

__all__ = ["Gateway"]
