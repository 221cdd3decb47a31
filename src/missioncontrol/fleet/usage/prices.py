"""What a response costs: its transcript's own figure, else the price table, else nothing is claimed.

The table knows models, tiers and the days from which a price counts. It is asked when a response without a cost of its
own is met, for each model and day once; a fleet whose transcripts state their costs has no use for it. A stated cost of
nothing for real tokens is no statement: runtimes write it where they know no price. A provider on the same machine is
free.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from missioncontrol.fleet.usage.price_table import PriceTable

if TYPE_CHECKING:
    from missioncontrol.runtimes.records import Usage

CostSource = Literal["transcript", "prices", "subscription", "none"]

LOCAL_PROVIDERS = frozenset(
    {
        "ollama",
        "lmstudio",
        "lm-studio",
        "vllm",
        "sglang",
        "llamacpp",
        "llama.cpp",
        "llama-cpp",
        "mlx",
        "local",
        "localai",
    }
)
"""Providers that serve models on the user's own machine, by the names that runtimes give them."""

_LINEAR_UP_TO = (1_000_000, 200_000, 128_000, 32_000)
"""Tokens of input up to which it is tried whether a price is proportional: where tiers usually end."""

_PROBE = 1_000
_PARTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")


class Price(NamedTuple):
    """A cost in US dollars, and its source; `none` if there is no price, and the cost is then 0."""

    cost: float
    source: CostSource


class _Rates(NamedTuple):
    """US dollars per token, for requests of up to `limit` tokens of input."""

    limit: int
    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float


UNPRICED = Price(0.0, "none")
_table = PriceTable()


def stated_cost(usage: Usage) -> float | None:
    """Return the cost that a response states itself, in US dollars; None where it states none that can be true."""
    if usage.cost == 0 and _tokens(usage) and not is_local(usage.provider):
        return None
    return usage.cost


def is_local(provider: str | None) -> bool:
    """Report whether a provider serves models on the user's own machine."""
    return provider is not None and provider.lower() in LOCAL_PROVIDERS


def price(usage: Usage) -> Price:
    """Return what a response costs, and who says so."""
    if usage.cost is not None:
        return Price(usage.cost, "transcript")
    if not _tokens(usage):
        # No token was used, whatever one would have cost.
        return Price(usage.extra, "prices" if usage.extra else "transcript")
    if is_local(usage.provider):
        return Price(usage.extra, "prices")
    if usage.price_factor is None:
        # A meter of tokens has another next to it that states the cost.
        return Price(0.0, "transcript") if usage.voice == "metrics" else UNPRICED
    found = _of_tokens(usage)
    if found is None:
        return UNPRICED
    return Price(found * usage.price_factor + usage.extra, "subscription" if usage.subscription else "prices")


def _tokens(usage: Usage) -> int:
    return usage.input + usage.output + usage.cache_read + usage.cache_write


def _of_tokens(usage: Usage) -> float | None:
    day = usage.at // 86_400_000
    rates = _rates(usage.model, usage.provider, day)
    if rates is None:
        return None
    # The table counts the cached parts as input; the runtimes do not.
    if usage.input + usage.cache_read + usage.cache_write > rates.limit:
        return _looked_up(usage, day)
    return (
        usage.input * rates.input
        + usage.output * rates.output
        + usage.cache_read * rates.cache_read
        + (usage.cache_write - usage.cache_write_1h) * rates.cache_write
        + usage.cache_write_1h * rates.cache_write_1h
    )


def _looked_up(usage: Usage, day: int) -> float | None:
    return _cost(
        usage.model,
        usage.provider,
        day,
        {
            "input_tokens": usage.input + usage.cache_read + usage.cache_write,
            "output_tokens": usage.output,
            "cache_read_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
            "cache_write_1h_tokens": usage.cache_write_1h,
        },
    )


@lru_cache(maxsize=2048)
def _rates(model: str, provider: str | None, day: int) -> _Rates | None:
    """Find a model's rates by asking for the price of one kind of token at a time."""
    per_token: list[float] = []
    for part in _PARTS:
        cost = _cost(model, provider, day, _only(part, _PROBE))
        if cost is None:
            return None
        per_token.append(cost / _PROBE)
    limit = next(
        (size for size in _LINEAR_UP_TO if _is_linear(model, provider, day, size, per_token[0])), _PROBE
    )
    return _Rates(limit, *per_token)


def _only(part: str, tokens: int) -> dict[str, int]:
    if not part.startswith("cache"):
        return {part: tokens}
    if part.startswith("cache_write"):
        return {"input_tokens": tokens, "cache_write_tokens": tokens, part: tokens}
    return {"input_tokens": tokens, part: tokens}


def _is_linear(model: str, provider: str | None, day: int, tokens: int, per_token: float) -> bool:
    cost = _cost(model, provider, day, {"input_tokens": tokens})
    return cost is not None and abs(cost - per_token * tokens) <= 1e-9 * max(cost, 1e-9)


def _cost(model: str, provider: str | None, day: int, parts: dict[str, int]) -> float | None:
    return _table.look_up(model, provider, day, parts)
