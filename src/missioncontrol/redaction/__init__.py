"""Secrets in texts that agents, tools and people have written: found by their form, by their name, by their value."""

from missioncontrol.redaction.redaction import LONGEST_SECRET, has_secret, redact, redact_field, revision

__all__ = ["LONGEST_SECRET", "has_secret", "redact", "redact_field", "revision"]
