"""The owner's secret, and on whose behalf a task acts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from missioncontrol.errors import ConfigError
from missioncontrol.events.author import act_as, author
from missioncontrol.owner_secret import FILE_NAME, SECRET_PREFIX, load_secret, read_secret
from missioncontrol.redaction.named import find_named, names_a_secret


def test_it_is_made_once_and_only_its_user_can_read_it(tmp_path: Path) -> None:
    made = load_secret(tmp_path)
    assert made.startswith(SECRET_PREFIX)
    assert load_secret(tmp_path) == read_secret(tmp_path) == made
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["open", "link", "empty"])
def test_one_that_others_may_have_read_or_made_is_refused(tmp_path: Path, damage: str) -> None:
    load_secret(tmp_path)
    path = tmp_path / FILE_NAME
    if damage == "open":
        path.chmod(0o644)
    elif damage == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_text("")
    with pytest.raises(ConfigError, match="remove it to have another one made"):
        load_secret(tmp_path)


@pytest.mark.anyio
async def test_a_task_acts_for_the_one_whose_request_it_answers() -> None:
    async def request(by: str) -> str | None:
        act_as(by)
        await asyncio.sleep(0)
        return author()

    assert await asyncio.gather(*(asyncio.create_task(request(by)) for by in ("ops", "ci"))) == ["ops", "ci"]
    assert author() is None


def test_a_secret_is_known_by_the_name_in_front_of_it() -> None:
    text = "DB_PASSWORD=tr0ub4dor&3 MAX_TOKENS=4096"
    ((start, stop),) = find_named(text, text.lower().encode())
    assert text[start:stop] == "tr0ub4dor&3"
    assert names_a_secret("apiKey")
    assert not names_a_secret("monkey")
