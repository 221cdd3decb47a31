"""Write the sprite sheets and the atlas that says where each picture lies on them.

    python web/art/make.py          # or: make art

A test holds what is in the repository to what this would write.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from art import people
from art.asleep import asleep
from art.furniture import FURNITURE, TILE, WALL
from art.icon import ICONS
from art.iso import Picture
from art.palette import CLEAR, PEOPLE

WEB = Path(__file__).parent.parent
TARGET = WEB / "src/office/sprites"
SHEET_WIDTH = 512

Atlas = dict[str, Any]


def pack(pictures: dict[str, Picture]) -> tuple[Image.Image, dict[str, list[int]]]:
    """Put pictures on one sheet, the highest first, shelf by shelf.

    Returns:
        the sheet, and of each picture x, y, width, height and anchor.
    """
    places: dict[str, list[int]] = {}
    x = y = shelf = 0
    for name, picture in sorted(pictures.items(), key=lambda item: (-item[1].height, item[0])):
        if x + picture.width > SHEET_WIDTH:
            x, y, shelf = 0, y + shelf, 0
        places[name] = [x, y, picture.width, picture.height, *picture.origin]
        x += picture.width
        shelf = max(shelf, picture.height)
    sheet = Image.new("RGBA", (SHEET_WIDTH, y + shelf), CLEAR)
    for name, (left, top, *_) in places.items():
        sheet.alpha_composite(pictures[name].image, (left, top))
    return sheet, dict(sorted(places.items()))


def parts() -> dict[str, Picture]:
    """Return the layers that people are put together of."""
    pictures: dict[str, Picture] = {}
    for frame in people.FRAMES:
        pictures[f"body {frame}"] = people.body(frame)
        if frame.startswith("raise"):
            pictures[f"over {frame}"] = people.over(frame)
    for facing in ("front", "back"):
        pictures[f"head {facing}"] = people.head(facing)
        for style in people.HAIR_FRONT:
            pictures[f"hair {facing} {style}"] = people.hair(facing, style)
        for name in people.ACCESSORIES:
            if name in people.ACCESSORIES_BACK or (facing == "front" and name != "none"):
                pictures[f"accessory {facing} {name}"] = people.accessory(facing, name)
    return pictures


def draw() -> tuple[dict[str, Image.Image], Atlas]:
    """Draw everything: the sheets by name, and the atlas."""
    furniture, furniture_places = pack({name: make() for name, make in FURNITURE.items()})
    layers, layer_places = pack(parts())
    atlas: Atlas = {
        "tile": TILE,
        "wall": WALL,
        "furniture": furniture_places,
        "people": {
            "cell": [people.WIDTH, people.HEIGHT, *people.ANCHOR],
            "frames": {
                name: {"facing": facing, "head": list(people.head_place(name))}
                for name, (facing, _, _) in people.FRAMES.items()
            },
            "styles": list(people.HAIR_FRONT),
            "accessories": list(people.ACCESSORIES),
            "colours": {
                letter: "#{:02x}{:02x}{:02x}".format(*PEOPLE[letter][:3]) for letter in "sShHicCdtTaA"
            },
            "parts": layer_places,
        },
    }
    return {"furniture": furniture, "people": layers}, atlas


def pictures() -> dict[Path, Image.Image]:
    """Draw what stands alone, by the files where it is kept."""
    icons = {WEB / f"public/icons/{name}.png": make() for name, make in ICONS.items()}
    sleeper = FURNITURE["cat-sleep"]().image
    return {
        **icons,
        WEB / "src/offline/offline.png": asleep(),
        WEB / "src/styles/cat.png": sleeper.crop(sleeper.getbbox()),
    }


def atlas_text(atlas: Atlas) -> str:
    """Write the atlas, a picture a line."""
    return json.dumps(atlas, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    sheets, described = draw()
    for sheet_name, image in sheets.items():
        image.save(TARGET / f"{sheet_name}.png", optimize=True)
    for path, image in pictures().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, optimize=True)
    (TARGET / "atlas.json").write_text(atlas_text(described))
