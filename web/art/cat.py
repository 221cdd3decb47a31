"""The office cat, drawn by hand: it sits, walks to the right, and sleeps."""

from __future__ import annotations

from art.iso import Picture
from art.palette import OUTLINE, Colour, colour

COLOURS: dict[str, Colour] = {
    "o": OUTLINE,
    "f": colour("#f2a65a"),
    "F": colour("#d07f38"),
    "w": colour("#fff4de"),
    "e": colour("#2a1a26"),
    "p": colour("#f0938a"),
}

POSES = {
    "sit": [
        "..o....o.....",
        ".ofo..ofo....",
        ".offooffo....",
        ".ofFffFfo....",
        ".ofeffefo....",
        ".owwppwwo....",
        "..owwwwo.....",
        "..offfffo..oo",
        ".offwwffFo.of",
        ".offwwfffo.of",
        ".ofwwwffFooFo",
        ".ofowofffFfo.",
        "..oooooooooo.",
    ],
    "walk-1": [
        "...........o.o..",
        "oo.........ofofo",
        "ofo........offfo",
        ".oFo.oooooofefeo",
        "..ofoffFffFowpwo",
        "...offfFffFfooo.",
        "...offfffffffo..",
        "...offwwwwwffo..",
        "...oFooofooFoo..",
        "...ooo.oo.oo.oo.",
    ],
    "walk-2": [
        "...........o.o..",
        ".oo........ofofo",
        ".oFo.......offfo",
        "..ofooooooofefeo",
        "..offffFffFowpwo",
        "...offfFffFfooo.",
        "...offfffffffo..",
        "...offwwwwwffo..",
        "....oFofooFofo..",
        "....oo.oo..ooo..",
    ],
    "sleep": [
        ".....oooooo....",
        "...oofFffFfoo..",
        "..offFffFfffFo.",
        ".ofoofffffFffFo",
        "offffoffffFfffo",
        "ofeeffoffffffFo",
        "owwpwfFFFFfffo.",
        ".ooooooooooooo.",
    ],
}


def cat(pose: str) -> Picture:
    """Draw a pose; the anchor is between its feet."""
    rows = POSES[pose]
    width, height = max(map(len, rows)), len(rows)
    picture = Picture(width, height, (width // 2, height - 2))
    picture.map(rows, (0, 0), COLOURS)
    return picture
