"""Thirty first starts under load, with each token on its agent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.process.first_starts import start_first

pytestmark = [pytest.mark.process, pytest.mark.stress, pytest.mark.timeout(3_600)]


def test_at_thirty_first_starts_under_load_each_token_is_on_its_agent(tmp_path: Path) -> None:
    start_first(tmp_path, int(os.environ.get("MISSION_CONTROL_ROUNDS") or 30))
