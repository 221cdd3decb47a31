"""The colours of the office: saturated and sunny, with one dark brown for every outline."""

from __future__ import annotations

Colour = tuple[int, int, int, int]


def colour(text: str) -> Colour:
    """Read `#rrggbb`, or `#rrggbbaa`."""
    digits = text.removeprefix("#")
    channels = [int(digits[place : place + 2], 16) for place in range(0, len(digits), 2)]
    red, green, blue, *rest = channels
    return red, green, blue, rest[0] if rest else 255


CLEAR: Colour = (0, 0, 0, 0)
OUTLINE = colour("#3a2233")

PEOPLE = {
    # Of the letters below, these are changed for each person: the page knows them by these colours.
    "s": colour("#f6c9a0"),
    "S": colour("#dd9f78"),
    "h": colour("#7a4a2b"),
    "H": colour("#57321f"),
    "i": colour("#a26a3e"),
    "c": colour("#4f86d9"),
    "C": colour("#3763ad"),
    "d": colour("#8fb8f2"),
    "t": colour("#4a4a66"),
    "T": colour("#35354d"),
    "a": colour("#e2574c"),
    "A": colour("#b23a34"),
    # And these stay.
    "o": OUTLINE,
    "e": colour("#2a1a26"),
    "w": colour("#ffffff"),
    "r": colour("#f0938a"),
    "m": colour("#b5565a"),
    "b": colour("#5b3a2e"),
    "g": colour("#c9d6e8"),
    "k": colour("#8a5a2b"),
    "y": colour("#ffd75e"),
}


class Shades:
    """A material under the sun: its top, its left face, its right face, and what stands out of it."""

    def __init__(self, top: str, left: str, right: str, light: str | None = None) -> None:
        self.top = colour(top)
        self.left = colour(left)
        self.right = colour(right)
        self.light = colour(light or top)


OAK = Shades("#e8a860", "#c17a3c", "#a3602d", "#f6c683")
WALNUT = Shades("#a9683c", "#824a29", "#68391f", "#c4814f")
CREAM = Shades("#fff3d6", "#e3cfa0", "#cbb283", "#ffffff")
STEEL = Shades("#cfd8e6", "#97a3ba", "#7b879f", "#eef3fa")
DARK = Shades("#5c6079", "#3f4259", "#313347", "#7b80a0")
WHITE = Shades("#ffffff", "#dfe4ee", "#c3cad9", "#ffffff")
RED = Shades("#ef6a5a", "#c8463d", "#a83530", "#ff9a85")
BLUE = Shades("#5f97e6", "#3f6fbd", "#325a9c", "#93bdf7")
LEAF = Shades("#58b048", "#3d8a3a", "#2f6f33", "#86d165")
FIR = Shades("#3f9160", "#2d6d4e", "#235742", "#62b57c")
GREEN = Shades("#6cc04f", "#469a3a", "#35802f", "#9be073")
TEAL = Shades("#4fc0b0", "#339587", "#287a70", "#86e0d2")
PURPLE = Shades("#9a7fd6", "#745bb0", "#5e4896", "#c0aaf0")
TERRACOTTA = Shades("#d9794a", "#b05731", "#914526", "#ef9d70")
YELLOW = Shades("#ffd75e", "#dfa938", "#bf8c2a", "#ffe999")
