"""The office at night, when nobody is there: the picture of the page that is shown while the server is out of reach."""

from __future__ import annotations

from PIL import Image, ImageChops

from art.furniture import FURNITURE, TILE, WALL
from art.palette import CLEAR, colour

WIDTH, DEPTH = 7, 6
NIGHT = colour("#7a80c4")
SKY = colour("#161b3c")
STAR = colour("#fff8d0")

FLOOR = [(x, y) for x in range(WIDTH) for y in range(DEPTH)]
THINGS: list[tuple[str, float, float]] = [
    ("shelf", 1, 0),
    ("plant-tall", 0, 0),
    ("cooler", 6, 0),
    ("desk-off", 2, 2),
    ("chair-blue", 2.5, 3),
    ("rack-off", 0, 4),
    ("desk-off", 4, 3),
    ("chair-red", 4.5, 4),
    ("lamp", 6, 3),
    ("cat-sleep", 2.5, 4.7),
    ("plant-round", 0, 5),
]


def asleep() -> Image.Image:
    """Draw it, at scale 1."""
    margin = 6
    width = (WIDTH + DEPTH) * TILE + 2 * margin
    height = (WIDTH + DEPTH) * TILE // 2 + WALL + 3 * margin
    origin = DEPTH * TILE + margin, WALL + margin
    room = Image.new("RGBA", (width, height), CLEAR)

    def place(name: str, x: float, y: float) -> None:
        picture = FURNITURE[name]()
        left = round(origin[0] + (x - y) * TILE) - picture.origin[0]
        top = round(origin[1] + (x + y) * TILE / 2) - picture.origin[1]
        room.alpha_composite(picture.image, (left, top))

    for y in reversed(range(DEPTH)):
        place("window-left" if y in (1, 2) else "wall-left", 0, y)
    for x in reversed(range(WIDTH)):
        place("window-right" if x in (4, 5) else "wall-right", x, 0)
    place("corner", 0, 0)
    for x, y in FLOOR:
        place(f"floor-{1 + (x + y) % 2}", x, y)
    for name, tile_x, tile_y in sorted(THINGS, key=lambda thing: thing[1] + thing[2]):
        place(name, tile_x, tile_y)

    lit = Image.new("RGBA", room.size, NIGHT)
    dark = ImageChops.multiply(room, lit)
    dark.putalpha(room.getchannel("A"))
    # Behind the glass, which is left clear, is the sky.
    night = Image.new("RGBA", room.size, CLEAR)
    for across in range(width):
        column = [y for y in range(height) if room.getpixel((across, y))[3] == 255]  # type: ignore[index]
        for y in range(column[0], column[-1]) if column else ():
            night.putpixel((across, y), STAR if (across * 31 + y * 17) % 97 == 0 else SKY)
    night.alpha_composite(dark)
    return night
