"""Notifications: what happens is told outside the dashboard, by rules, through apprise.

The notifier reads the log as everybody does, from a cursor of its own. `apprise` is imported when there is somebody to
be told.
"""

from missioncontrol.notify.notifier import KEPT, NOTIFICATIONS, Notifier, Routes, prepare
from missioncontrol.notify.rules import SOURCE, Rule, read_rules

__all__ = ["KEPT", "NOTIFICATIONS", "SOURCE", "Notifier", "Routes", "Rule", "prepare", "read_rules"]
