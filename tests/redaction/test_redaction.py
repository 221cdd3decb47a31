"""Secrets are masked by their form, their name and their value; everything else stays as it is."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.redaction import has_secret, redact, redact_field
from missioncontrol.redaction.redaction import rules, values_expression
from tests.redaction.examples import EXAMPLES, HARMLESS
from tests.regex.linear import ambiguity

CASES = [(kind, text, secret) for kind, examples in EXAMPLES.items() for text, secret in examples]


def test_every_rule_has_an_example() -> None:
    assert {rule.id for rule in rules()} | {"named"} == set(EXAMPLES)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_every_rule_is_linear(rule: object) -> None:
    assert ambiguity(re.compile(rule.regex), "match") is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "text", "secret"), CASES, ids=[case[0] for case in CASES])
def test_a_secret_is_masked_and_what_is_around_it_stays(kind: str, text: str, secret: str) -> None:
    whole = text.format(secret)
    masked = redact(whole)
    assert secret not in masked
    head, tail = text.split("{}") if text.count("{}") == 1 and "{{" not in text else ("", "")
    if head or tail:
        assert masked.startswith(head)
        assert masked.endswith(tail)
    assert re.search(r"\[redacted [a-z-]+\]", masked)
    assert has_secret(whole)


@pytest.mark.parametrize(("kind", "text", "secret"), CASES, ids=[case[0] for case in CASES])
def test_the_mark_names_the_kind(kind: str, text: str, secret: str) -> None:
    assert f"[redacted {kind}]" in redact(text.format(secret))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text
    assert not has_secret(text)


@pytest.mark.parametrize(("kind", "text", "secret"), CASES, ids=[case[0] for case in CASES])
def test_masking_twice_is_masking_once(kind: str, text: str, secret: str) -> None:
    once = redact(f"ÄÖÜ İstanbul 🛰 {text.format(secret)} and {text.format(secret)}")
    assert redact(once) == once
    assert once.startswith("ÄÖÜ İstanbul 🛰 ")
    assert secret not in once


@given(st.text())
def test_any_text_can_be_masked(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(
    st.lists(st.sampled_from([one for _, text, secret in CASES for one in (text, secret, "\n", " = ", '"')]))
)
def test_whatever_stands_next_to_each_other_is_masked_once(parts: list[str]) -> None:
    once = redact(" ".join(parts))
    assert redact(once) == once


def test_a_field_is_known_by_its_name() -> None:
    assert redact_field("dbPassword", "correct-horse") == "[redacted named]"
    assert redact_field("description", "correct-horse") == "correct-horse"
    assert redact_field("tokens", "12") == "12"


def test_values_of_the_servers_own_variables_are_found_wherever_they_are() -> None:
    expression = values_expression(
        {
            "DEPLOY_KEY": "tr0ub4dor&3",
            "MY_SECRET": "short",
            "PATH": "/usr/local/bin",
            "PWD": "/home/agent/work",
            "GITHUB_TOKEN": "blue.horse.42",
        }
    )
    assert expression is not None
    assert expression.findall("a tr0ub4dor&3 short /usr/local/bin blue.horse.42 blueXhorseX42") == [
        "tr0ub4dor&3",
        "blue.horse.42",
    ]
    assert ambiguity(expression, "search") is None
    assert values_expression({"PATH": "/usr/local/bin"}) is None


HOSTILE = {
    "names": "token=" * 20_000,
    "quotes": 'password="' * 15_000,
    "keys": "sk-ant-" * 20_000,
    "web tokens": " eyJ" * 30_000,
    "web token of one part": "eyJ" + "a" * 200_000,
    "addresses": "://" * 50_000,
    "users": "://a" + ":b" * 60_000,
    "authorizations": "authorization: " * 10_000,
    "cookies": "cookie: a" * 15_000,
    "private keys": "-----BEGIN PRIVATE KEY-----" * 6_000,
    "one private key": "-----BEGIN PRIVATE KEY-----" + "A" * 200_000,
    "telegram": ":aa1" * 40_000,
    "mailchimp": ("0" * 40 + "-us" * 12) * 2_500,
    "dots": "dp.pt." * 30_000,
    "mail": "SG." * 60_000,
    "options of mysql": "mysql -u -a -p " * 10_000,
    "options of curl": "curl -u a" * 20_000,
    "digits": "1" * 200_000,
    "capitals": "A1" * 100_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    """A twice as long text takes twice as long, with room for a machine that does other things."""
    redact(text[:1000])

    def seconds(part: str) -> float:
        best = 9.0
        for _ in range(3):
            began = time.process_time()
            redact(part)
            best = min(best, time.process_time() - began)
        return best

    half, whole = seconds(text[: len(text) // 2]), seconds(text)
    assert whole < 4 * half + 0.05
    assert whole < 2.0
