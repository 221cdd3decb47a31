"""Notifications: what happens is told outside the dashboard, by rules, through apprise.

The notifier reads the log as everybody does, from a cursor of its own. `apprise` is imported when there is somebody to
be told.
"""

from missioncontrol.notify.notifier import KEPT, NOTIFICATIONS, TEST_BODY, TEST_TITLE, Notifier
from missioncontrol.notify.routes import Routes, prepare
from missioncontrol.notify.rules import read_rules
from missioncontrol.notify.status import (
    DestinationStatus,
    NotifyFigures,
    RuleStatus,
    Trial,
    describe_rule,
)

__all__ = [
    "KEPT",
    "NOTIFICATIONS",
    "TEST_BODY",
    "TEST_TITLE",
    "DestinationStatus",
    "Notifier",
    "NotifyFigures",
    "Routes",
    "RuleStatus",
    "Trial",
    "describe_rule",
    "prepare",
    "read_rules",
]
