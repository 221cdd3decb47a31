"""What a response costs, and who says so."""

from __future__ import annotations

from typing import Any

import pytest
from genai_prices import Usage as Priced
from genai_prices import calc_price

from missioncontrol.fleet.usage.prices import Price, price, stated_cost
from missioncontrol.runtimes.records import Usage

AT = 1_795_395_127_261


def usage(**fields: Any) -> Usage:
    return Usage(
        **{
            "key": "claude:msg_1",
            "runtime": "claude",
            "session": "s",
            "at": AT,
            "model": "claude-sonnet-4-5",
            "provider": "anthropic",
            "input": 1000,
            "output": 100,
            "cache_read": 500,
            "cache_write": 200,
            "cost": None,
            **fields,
        }
    )


def test_the_transcripts_own_cost_wins() -> None:
    assert price(usage(cost=0.125)) == Price(0.125, "transcript")


@pytest.mark.parametrize("provider", ["anthropic", None, "a name of the runtime's own"])
def test_else_the_price_table_says_it_with_cached_tokens_at_their_own_price(provider: str | None) -> None:
    cost, source = price(usage(provider=provider))
    assert source == "prices"
    assert cost == pytest.approx(1000 * 3e-6 + 100 * 15e-6 + 500 * 0.3e-6 + 200 * 3.75e-6)


def test_what_is_cached_for_an_hour_costs_more() -> None:
    long = price(usage(cache_write_1h=200)).cost
    assert long - price(usage()).cost == pytest.approx(200 * (6e-6 - 3.75e-6))


@pytest.mark.parametrize("tokens", [100, 150_000, 250_000, 900_000])
def test_a_large_request_is_priced_in_its_tier(tokens: int) -> None:
    cost, _ = price(usage(input=tokens, cache_read=0, cache_write=0))
    table = calc_price(Priced(input_tokens=tokens, output_tokens=100), model_ref="claude-sonnet-4-5")
    assert cost == pytest.approx(float(table.total_price))


def test_a_model_that_nobody_has_a_price_for_is_listed_as_unpriced() -> None:
    assert price(usage(model="fake-1", provider="fake")) == Price(0.0, "none")


def test_a_turn_that_used_nothing_costs_nothing() -> None:
    assert price(usage(model="fake-1", input=0, output=0, cache_read=0, cache_write=0)).source == "transcript"


def test_a_factor_and_what_is_not_tokens_change_the_tables_price() -> None:
    usual = price(usage()).cost
    assert price(usage(price_factor=6.0, extra=0.4)) == Price(pytest.approx(usual * 6 + 0.4), "prices")  # type: ignore[arg-type]
    assert price(usage(price_factor=None)) == Price(0.0, "none")
    assert price(usage(subscription=True)) == Price(usual, "subscription")


def test_a_stated_cost_of_nothing_for_real_tokens_is_no_statement() -> None:
    assert stated_cost(usage(cost=0.0)) is None
    assert stated_cost(usage(cost=0.5)) == 0.5
    assert stated_cost(usage(cost=0.0, input=0, output=0, cache_read=0, cache_write=0)) == 0.0


def test_a_model_on_the_same_machine_is_free() -> None:
    local = usage(cost=0.0, provider="ollama")
    assert stated_cost(local) == 0.0
    assert price(usage(cost=None, provider="LMStudio")) == Price(0.0, "prices")


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", None),
        (
            "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "anthropic",
        ),
        ("bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", None),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon-bedrock"),
        ("claude-sonnet-4-5@20250929", "anthropic"),
        ("vertex_ai/claude-sonnet-4-5", None),
        ("anthropic/claude-sonnet-4.5", "openrouter"),
        ("openrouter/anthropic/claude-sonnet-4.5", "openrouter"),
        ("anthropic/claude-sonnet-4.5", "anthropic"),
        ("claude-sonnet-4.5", "custom-10-0-0-1"),
    ],
)
def test_the_models_name_says_who_serves_it(model: str, provider: str | None) -> None:
    found = price(usage(model=model, provider=provider))
    assert found.source == "prices"
    assert found.cost / price(usage()).cost in (pytest.approx(1.0), pytest.approx(1.1))
