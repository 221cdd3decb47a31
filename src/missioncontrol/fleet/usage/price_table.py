"""The price table, in a separate process that ends when it is idle.

It is the library genai-prices (https://github.com/pydantic/genai-prices), which takes 40 MB but is needed only once for
each model and day, so it is not kept in memory. Run as a program, this file answers questions, one JSON value in each
line; it imports no other module of Mission Control, so that the process has only the table.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from io import BufferedRWPair
from threading import Lock, Thread

IDLE_SECONDS = 30.0
PATIENCE_SECONDS = 20.0
"""How long an answer may take, with the start of the process."""


def look_up(model: str, provider: str | None, day: int, parts: dict[str, int]) -> float | None:
    """Return the cost of a number of tokens of each kind.

    Args:
        model: the model's name, as its runtime gives it.
        provider: who serves it, where that is known.
        day: the day from which a price has to count, in days since 1970.
        parts: the numbers of tokens, by the names that genai-prices has for them.

    Returns:
        US dollars; None where the table does not know the model.
    """
    from genai_prices import Usage, calc_price

    at = datetime.fromtimestamp(day * 86_400, UTC)
    for provider_id, name in names_of(model, provider):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = calc_price(
                    Usage(**parts), model_ref=name, provider_id=provider_id, genai_request_timestamp=at
                )
        except (LookupError, ValueError):
            # The runtime's own name for a provider may not be the table's.
            continue
        return float(found.total_price)
    return None


_BEDROCK = re.compile(r"(?:^|[/.])(?:anthropic|amazon|meta|mistral|cohere|deepseek|openai|qwen)\.[a-z0-9-]+")
"""The form of Amazon's model names: `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, also at the end of an ARN
(https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html)."""
_VERTEX = re.compile(r"@(?:[0-9]{8}|default)$")
"""The end of Google's names for models of other vendors
(https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude)."""
_PREFIXES = {
    "bedrock": "aws",
    "amazon-bedrock": "aws",
    "vertex_ai": "google",
    "vertex": "google",
    "google-vertex": "google",
    "openrouter": "openrouter",
    "azure": "azure",
}
"""The prefixes of model names, up to a slash, and the provider of each in the table."""


def names_of(model: str, provider: str | None) -> list[tuple[str | None, str]]:
    """Return the providers and names by which the table may know a model, the likeliest first.

    A runtime names the provider that it was made for; pointed at another one, it says so in the model's name alone.

    Args:
        model: the model's name, as its runtime gives it.
        provider: who serves it by the runtime's account, where it has one.
    """
    prefix, slash, rest = model.partition("/")
    found: list[tuple[str | None, str]] = []
    if model.startswith("arn:aws:bedrock:"):
        found.append(("aws", model.rsplit("/", 1)[-1]))
    elif slash and prefix in _PREFIXES:
        found.append((_PREFIXES[prefix], rest))
    elif _BEDROCK.search(model):
        found.append(("aws", model))
    elif _VERTEX.search(model):
        found.append(("google", model))
    if provider:
        found.append((_PREFIXES.get(provider, provider), model))
    found.append((None, model))
    if slash:
        # Gateways name models as OpenRouter does; the maker's own name is the rest.
        found += [("openrouter", model), (prefix, rest), (None, rest)]
    elif "." in model:
        found.append((None, model.replace(".", "-")))
    return list(dict.fromkeys(found))


class PriceTable:
    """Asks the process, and starts it where it does not run; may be asked from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._line: BufferedRWPair | None = None

    def look_up(self, model: str, provider: str | None, day: int, parts: dict[str, int]) -> float | None:
        """See `look_up`; where no process can be had, the table is loaded into this one."""
        question = json.dumps([model, provider, day, parts]).encode() + b"\n"
        with self._lock:
            for _ in range(2):
                # A process that has just ended because it was idle leaves the question unanswered.
                if answer := self._ask(question):
                    cost = json.loads(answer)
                    return None if cost is None else float(cost)
        return look_up(model, provider, day, parts)

    def _ask(self, question: bytes) -> bytes:
        try:
            if self._line is None:
                self._line = _start()
            self._line.write(question)
            self._line.flush()
            answer = self._line.readline()
        except OSError:
            answer = b""
        if not answer.endswith(b"\n"):
            self._line = None
            return b""
        return answer


def _start() -> BufferedRWPair:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(PATIENCE_SECONDS)
        process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", __file__, str(IDLE_SECONDS)],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            # A signal to the server's group, such as Ctrl-C, is not for it: it ends with its standard input.
            start_new_session=True,
        )
        # No other thread waits for its end.
        Thread(target=process.wait, name="price-table", daemon=True).start()
        return ours.makefile("rwb")


def answer_questions(patience: float) -> None:
    """Answer questions until none comes for `patience` seconds, or standard input ends."""
    held = b""
    while select.select([0], [], [], patience)[0] and (block := os.read(0, 1 << 16)):
        *questions, held = (held + block).split(b"\n")
        for question in questions:
            answer = json.dumps(look_up(*json.loads(question)))
            os.write(1, answer.encode() + b"\n")


if __name__ == "__main__":
    answer_questions(float(sys.argv[1]))
