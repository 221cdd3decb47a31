"""Rules, quiet hours and templates, without I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from missioncontrol.config import NotifyConfig, NotifyRule
from missioncontrol.errors import ConfigError
from missioncontrol.events import Event
from missioncontrol.notify.batch import agent_of
from missioncontrol.notify.quiet import QuietHours
from missioncontrol.notify.rules import Rule, read_rules

BERLIN = ZoneInfo("Europe/Berlin")


def event(type_: str, data: dict[str, Any], source: str = "api") -> Event:
    return Event(type_, 1, "2026-11-23T10:15:00.123Z", source, data)


def only(**settings: Any) -> Rule:
    (rule,) = read_rules(NotifyConfig(urls=["json://one"], rules=[NotifyRule(name="r", **settings)]))
    return rule


def test_without_rules_the_section_is_one() -> None:
    (rule,) = read_rules(NotifyConfig(urls=["json://one", "json://two", "json://one"]))
    assert rule.name == "default"
    assert rule.urls == ("json://one", "json://two")
    assert rule.patterns.names() == ["question:asked", "system:alert", "token:threshold"]
    assert rule.levels == {"warning", "critical"}
    assert read_rules(NotifyConfig()) == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"name": " "}, "needs a name"),
        ({"events": ["a:b:*?"]}, "is no pattern"),
        ({"quiet_hours": "22-7"}, "as in '22:00-07:00'"),
        ({"quiet_hours": "25:00-07:00"}, "as in '22:00-07:00'"),
        ({"quiet_hours": "07:00-07:00"}, "as in '22:00-07:00'"),
        ({"quiet_hours": "22:00-07:00", "quiet_zone": "Mars/Olympus"}, "'Europe/Berlin'"),
        ({"quiet_hours": "22:00-07:00", "quiet_zone": "../../etc/passwd"}, "'Europe/Berlin'"),
        ({"quiet_except": "critical"}, "need quiet_hours"),
        ({"storm_seconds": -1.0}, "0 to 3600"),
        ({"storm_seconds": float("nan")}, "0 to 3600"),
        ({"per_hour": 0}, "the least is 1"),
        ({"title": "{rule.__class__}"}, "it may name {title}"),
        ({"body": "{}"}, "it may name {title}"),
    ],
)
def test_what_is_wrong_is_said_with_the_rule_and_without_its_urls(
    settings: dict[str, Any], told: str
) -> None:
    rule = NotifyRule(**{"name": "r", "urls": ["json://pa55w0rd"], **settings})
    with pytest.raises(ConfigError) as caught:
        read_rules(NotifyConfig(rules=[rule]))
    assert told in str(caught.value)
    assert "pa55w0rd" not in str(caught.value)


def test_two_rules_of_one_name_and_one_without_urls_are_refused() -> None:
    for rules, told in (
        ([NotifyRule(name="r", urls=["json://a"])] * 2, "twice"),
        ([NotifyRule(name="r")], "has no urls"),
    ):
        with pytest.raises(ConfigError, match=told):
            read_rules(NotifyConfig(rules=rules))


@pytest.mark.parametrize(
    ("settings", "type_", "data", "wanted"),
    [
        ({}, "system:alert", {"level": "critical"}, True),
        ({}, "system:alert", {"level": "info"}, False),
        ({}, "system:alert", {"level": ["critical"]}, True),
        ({"levels": ["info"]}, "system:alert", {"level": "critical"}, False),
        ({}, "token:threshold", {"alert": "warning"}, True),
        ({}, "token:threshold", {"alert": "info"}, False),
        ({}, "question:asked", {"question": {"id": "Q"}}, True),
        ({"min_level": "critical"}, "question:asked", {"question": {"id": "Q"}}, False),
        ({}, "task:completed", {"taskId": "T"}, False),
        ({"events": ["task"], "min_level": "critical"}, "task:completed", {"taskId": "T"}, True),
        ({"events": ["*"]}, "notification:failed", {}, False),
        ({"events": ["*"], "agents": ["scout"]}, "agent:activity", {"agentId": "scout@alpha"}, True),
        ({"events": ["*"], "agents": ["*@beta"]}, "agent:activity", {"agentId": "scout@alpha"}, False),
        ({"events": ["*"], "agents": ["scout"]}, "question:asked", {"question": {"agentId": "scout"}}, True),
        ({"events": ["*"], "agents": ["scout"]}, "task:created", {"task": {"assignedTo": "scout"}}, True),
        ({"events": ["*"], "agents": ["*"]}, "system:alert", {"level": "critical"}, False),
    ],
)
def test_a_rule_wants(settings: dict[str, Any], type_: str, data: dict[str, Any], wanted: bool) -> None:
    assert only(**settings).wants(event(type_, data)) is wanted


def test_what_the_notifier_tells_is_never_wanted() -> None:
    assert not only(events=["*"]).wants(event("system:alert", {"level": "critical"}, source="notify"))


def test_the_fleets_budget_is_no_agents() -> None:
    assert agent_of(event("token:threshold", {"agent": "fleet", "scope": "fleet"})) is None


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("hours", "now", "ends"),
    [
        ("22:00-07:00", "2026-11-23T21:59:59", None),
        ("22:00-07:00", "2026-11-23T22:00:00", "2026-11-24T07:00:00"),
        ("22:00-07:00", "2026-11-24T06:59:59", "2026-11-24T07:00:00"),
        ("22:00-07:00", "2026-11-24T07:00:00", None),
        ("12:00-13:30", "2026-11-24T12:00:00", "2026-11-24T13:30:00"),
        ("12:00-13:30", "2026-11-24T13:30:00", None),
        ("12:00-13:30", "2026-11-24T11:59:00", None),
        ("00:00-23:59", "2026-11-24T23:59:00", None),
        # The night in which summer time begins has an hour less, the one in which it ends an hour more.
        ("22:00-07:00", "2026-03-28T23:00:00", "2026-03-29T07:00:00"),
        ("22:00-07:00", "2026-10-24T23:00:00", "2026-10-25T07:00:00"),
    ],
)
def test_quiet_hours_end(hours: str, now: str, ends: str | None) -> None:
    found = QuietHours.parse(hours, "Europe/Berlin").ends(at(now))
    assert found == (None if ends is None else at(ends))
