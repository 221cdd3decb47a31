"""The office's pictures are those that the script draws."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from PIL import Image, ImageChops

WEB = Path(__file__).parent.parent.parent / "web"
SPRITES = WEB / "src/office/sprites"


@pytest.fixture(scope="module")
def drawn() -> dict[str, object]:
    return runpy.run_path(str(WEB / "art/make.py"))


def test_the_sheets_are_what_the_script_draws(drawn: dict[str, object]) -> None:
    draw = drawn["draw"]
    assert callable(draw)
    sheets, atlas = draw()
    for name, sheet in sheets.items():
        with Image.open(SPRITES / f"{name}.png") as kept:
            assert ImageChops.difference(kept.convert("RGBA"), sheet).getbbox() is None, "run `make art`"
    text = drawn["atlas_text"]
    assert callable(text)
    assert (SPRITES / "atlas.json").read_text() == text(atlas), "run `make art`"


def test_the_icons_and_the_sleeping_office_are_what_the_script_draws(drawn: dict[str, object]) -> None:
    pictures = drawn["pictures"]
    assert callable(pictures)
    for path, picture in pictures().items():
        with Image.open(path) as kept:
            assert ImageChops.difference(kept.convert("RGBA"), picture).getbbox() is None, "run `make art`"
