"""The office's furniture: boxes and blobs, one picture for each thing, seen as it stands; some also mirrored.

A thing covers tiles from the origin on, x to the lower right and y to the lower left; its picture's anchor is the upper
corner of its first tile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from art.cat import POSES as CAT_POSES
from art.cat import cat
from art.iso import Picture
from art.palette import (
    BLUE,
    CREAM,
    DARK,
    FIR,
    GREEN,
    LEAF,
    OAK,
    OUTLINE,
    PURPLE,
    RED,
    STEEL,
    TEAL,
    TERRACOTTA,
    WALNUT,
    WHITE,
    YELLOW,
    Colour,
    Shades,
    colour,
)

TILE = 16
WALL = 52
"""How high the walls are."""

SCREENS = {
    "off": (colour("#2b3046"), colour("#353b55")),
    "on": (colour("#bfe9ff"), colour("#5fb7ef")),
    "work": (colour("#c9ffd9"), colour("#3fae6a")),
    "error": (colour("#ffb3a8"), colour("#d94a3f")),
    "wait": (colour("#ffe7a8"), colour("#e0962f")),
}


def plank(dark: bool) -> Picture:
    """A tile of the floor: warm boards that run to the lower right."""
    picture = Picture(2 * TILE, TILE + 1, (TILE, 0))
    base = [colour("#d99b5b"), colour("#e0a566")] if dark else [colour("#e3ab6d"), colour("#e9b478")]
    seam, knot = colour("#c4854a"), colour("#cf9253")

    def paint(x: float, y: float) -> Colour:
        board = int(y // 4)
        if y % 4 < 0.5:
            return seam
        if int(x + board * 7) % 16 == 3 and y % 4 < 3.5:
            return seam
        return knot if int(x * 3 + board * 5) % 23 == 0 else base[board % 2]

    picture.box((0, 0, 0), (TILE, TILE, 0.01), OAK, top=paint, edges=False)
    return picture


def carpet(shades: Shades) -> Picture:
    """A tile of carpet, with a stitch."""
    picture = Picture(2 * TILE, TILE + 1, (TILE, 0))

    def paint(x: float, y: float) -> Colour:
        return shades.light if (int(x) + int(y)) % 8 == 0 else shades.top

    picture.box((0, 0, 0), (TILE, TILE, 0.01), shades, top=paint, edges=False)
    return picture


def wall(side: str, kind: str = "plain") -> Picture:
    """A tile's width of a back wall: the left one runs along y, the right one along x; with a window, or bare.

    The glass of a window is left clear: the sky behind it is drawn by the page.
    """
    picture = Picture(TILE + 2, WALL + TILE // 2 + 4, (1 if side == "right" else TILE + 1, WALL + 2))
    upper = colour("#f7e3b4") if side == "right" else colour("#e9cf9a")
    stripe = colour("#f2d9a4") if side == "right" else colour("#e2c58c")
    panel = colour("#c98a55") if side == "right" else colour("#b2743f")
    panel_line = colour("#a86b3b") if side == "right" else colour("#955d31")
    rail = colour("#fff3d6") if side == "right" else colour("#f1dcae")
    foot = colour("#7d4f2f") if side == "right" else colour("#6c4227")
    frame = colour("#fffaf0")

    def paint(along: float, z: float) -> Colour | None:
        if kind == "window" and 20 <= z < 44 and 2 <= along < 14:
            if z < 22 or z >= 42.5 or along < 3.5 or along >= 12.5:
                return frame
            if 7.4 <= along < 8.6 or 31.5 <= z < 32.8:
                return frame
            return (0, 0, 0, 1)
        if z >= WALL - 2:
            return rail
        if z < 3:
            return foot
        if z < 16:
            return panel_line if along % 8 < 1 or 13 <= z < 14 else panel
        if z < 17.5:
            return rail
        return stripe if int(along) % 8 < 3 else upper

    if side == "right":
        picture.box((0, -1, 0), (TILE, 0, WALL), CREAM, left=paint, edges=False)
    else:
        picture.box((-1, 0, 0), (0, TILE, WALL), CREAM, right=paint, edges=False)
    # The top of the wall is the line around it.
    for x in range(picture.width):
        for y in range(picture.height):
            if picture.at(x, y)[3] == 255:
                picture.dot(x, y, OUTLINE)
                break
    for x in range(picture.width):
        for y in range(picture.height):
            if picture.at(x, y) == (0, 0, 0, 1):
                picture.dot(x, y, (0, 0, 0, 0))
    return picture


def corner() -> Picture:
    """The line where the two back walls meet."""
    picture = Picture(3, WALL + 4, (1, WALL + 2))
    for y in range(2, WALL + 2):
        picture.dot(1, y, colour("#c7a468"))
    return picture


def desk(screen: str, line: int = 1) -> Picture:
    """A desk with a computer, two tiles along x and one deep; its person sits at its lower left and sees the screen.

    Pictures with another `line` have other lines on the screen: work goes on.
    """
    picture = Picture(60, 58, (24, 26))
    top = 11
    picture.box((2, 3, 0), (5, 13, top), WALNUT)
    picture.box((24, 3, 0), (30, 13, top), OAK, left=drawers)
    picture.box((1, 2, top), (31, 14, top + 2.5), OAK)
    picture.box((11, 4.5, top + 2.5), (19, 7.5, top + 4), DARK)
    light, deep = SCREENS[screen]
    chance = Random(f"{screen} {line}" if line > 1 else screen)  # noqa: S311 - it is a picture

    def glow(along: float, z: float) -> Colour | None:
        inside = 7.2 < along < 22.8 and top + 6.5 < z < top + 16.5
        if not inside:
            return None
        line = int(z) % 3 == 0 and int(along) % 11 < 4 + chance.randrange(4)
        return light if line else deep

    picture.box((6, 5, top + 5), (24, 7, top + 18), DARK, left=glow)
    picture.box((10, 10, top + 2.5), (20, 13, top + 3.5), WHITE)
    picture.box((23, 10, top + 2.5), (25, 12, top + 3.5), WHITE)
    picture.box((27, 5, top + 2.5), (30, 8, top + 6), RED)
    picture.outline()
    return picture


def counter(screen: str) -> Picture:
    """A desk whose person sits behind it and faces the viewer, over a laptop whose lid shines."""
    picture = Picture(60, 50, (24, 20))
    top = 11
    light, deep = SCREENS[screen]

    def panel(along: float, z: float) -> Colour | None:
        if z < 2:
            return colour("#7d4f2f")
        return colour("#a86b3b") if along % 10 < 0.8 and z < top else None

    def lid(along: float, z: float) -> Colour | None:
        middle = (along - 15) ** 2 + (z - top - 6.5) ** 2
        return light if middle < 3.2 else deep if middle < 7 and screen != "off" else None

    picture.box((2, 4, 0), (30, 13, top), OAK, left=panel)
    picture.box((1, 2, top), (31, 14, top + 2.5), OAK)
    picture.box((9, 4, top + 2.5), (21, 9, top + 3.5), DARK)
    picture.box((9, 8.5, top + 3), (21, 9.5, top + 10.5), STEEL, left=lid)
    picture.box((3, 6, top + 2.5), (6, 9, top + 6.5), TEAL)
    picture.box((24, 5, top + 2.5), (29, 11, top + 3.4), WHITE)
    picture.outline()
    return picture


def drawers(along: float, z: float) -> Colour | None:
    """Lines and handles of a chest."""
    if z % 5 < 1:
        return colour("#8f5b2e")
    return colour("#ffd98a") if 2 <= z % 5 < 3 and 26 < along < 28 else None


def chair(shades: Shades) -> Picture:
    """A chair that is turned to the upper right, on one tile."""
    picture = Picture(30, 34, (14, 16))
    picture.box((4, 4, 0), (12, 12, 1.5), DARK)
    picture.box((7, 7, 1.5), (9, 9, 6), STEEL)
    picture.box((3, 3, 6), (13, 12, 8.5), shades)
    picture.box((3.5, 12, 8), (12.5, 13.5, 14), shades)
    picture.outline()
    return picture


def plant(kind: str) -> Picture:
    """A plant in a pot, on one tile."""
    picture = Picture(34, 54, (17, 36))
    picture.box((4.5, 4.5, 0), (11.5, 11.5, 8), TERRACOTTA)
    picture.box((4, 4, 7), (12, 12, 9.5), TERRACOTTA)
    if kind == "round":
        for dx, dy, z, r in ((8, 8, 16, 8), (4, 8, 19, 5), (12, 7, 19, 5), (8, 8, 25, 6)):
            picture.blob((dx, dy, z), (r, r * 0.9), GREEN)
    elif kind == "tall":
        for place, lean in enumerate((-7, -3, 0, 4, 8)):
            for step in range(9):
                x = 8 + lean * step / 9
                picture.blob(
                    (x, 8 - lean * step / 9, 10 + step * (2.6 if place % 2 else 3)),
                    (2.2 if step < 6 else 1.4, 1.9),
                    GREEN,
                )
    else:
        for dx, dy, z in ((8, 8, 12), (5, 9, 14), (11, 8, 14), (8, 6, 15)):
            picture.blob((dx, dy, z), (4, 3.4), GREEN)
        for dx, dy, z, shades in ((6, 8, 17, RED), (10, 8, 18, YELLOW), (8, 9, 20, PURPLE)):
            picture.blob((dx, dy, z), (2, 2), shades)
    picture.outline()
    return picture


def rack(state: str) -> Picture:
    """The server rack: the gateway, on one tile; running, blinking or dark."""
    picture = Picture(40, 66, (18, 48))

    def front(along: float, z: float) -> Colour | None:
        if along < 2.5 or along > 13.5 or z < 3 or z > 41:
            return None
        row = int(z // 4)
        if z % 4 < 1:
            return colour("#23263a")
        if 1.5 <= z % 4 < 3 and along > 8:
            if state == "off":
                return colour("#3a3f5c") if int(along) % 2 else None
            lit = (row * 3 + int(along) + (2 if state == "blink" else 0)) % 5 < 3
            green, amber, red = colour("#6dff9c"), colour("#ffd75e"), colour("#ff5a4d")
            colours = (red, amber) if state == "error" else (green, amber if row == 7 else green)
            return colours[int(along) % 2] if lit and int(along) % 2 else colour("#343955")
        return colour("#454b6b")

    picture.box((1, 1, 0), (15, 15, 44), DARK, left=front)
    picture.outline()
    return picture


def shelf() -> Picture:
    """A shelf with files and books along the right wall, two tiles wide."""
    picture = Picture(70, 76, (20, 44))
    chance = Random(7)  # noqa: S311 - it is a picture
    spines = {
        (row, place): chance.choice([RED, BLUE, GREEN, YELLOW, PURPLE, TEAL, CREAM]).top
        for row in range(4)
        for place in range(16)
    }

    def books(along: float, z: float) -> Colour | None:
        if along < 1.5 or along > 30.5 or z % 10 < 1.5:
            return None
        row, place = int(z // 10), int(along // 2)
        height = 6.2 + (row * 7 + place * 5) % 3
        if z % 10 - 1.5 > height:
            return colour("#5a341e")
        return OUTLINE if along % 2 < 0.35 else spines[(row % 4, place)]

    picture.box((0, 0, 0), (32, 8, 40), WALNUT, left=books)
    picture.outline()
    return picture


def coffee() -> Picture:
    """The coffee corner: a counter with a machine, cups and a jar, two tiles along x."""
    picture = Picture(68, 70, (18, 44))

    def doors(along: float, z: float) -> Colour | None:
        if 2 < z < 14 and (15.2 < along < 16.4 or along < 1.5):
            return colour("#b98a58")
        return colour("#8f5b2e") if 9 < z < 10.5 and (12 < along < 14 or 18 < along < 20) else None

    picture.box((0, 0, 0), (32, 12, 15), CREAM, left=doors)
    picture.box((-0.5, -0.5, 15), (32.5, 13, 17.5), WALNUT)

    def machine(along: float, z: float) -> Colour | None:
        if 24 < z < 29 and 5 < along < 13:
            return colour("#262a3d")
        if 31 < z < 34:
            return colour("#ffd75e") if 6 < along < 8 else colour("#6dff9c") if 9 < along < 11 else None
        return None

    picture.box((3, 2, 17.5), (15, 10, 36), RED, left=machine)
    picture.box((7, 8, 17.5), (11, 11, 22), WHITE)
    picture.box((19, 5, 17.5), (22, 8, 21.5), WHITE)
    picture.box((23.5, 7, 17.5), (26.5, 10, 21.5), BLUE)
    picture.box((26, 2, 17.5), (30, 6, 26), TEAL)
    picture.outline()
    return picture


def table() -> Picture:
    """The meeting table, three tiles along x and two along y."""
    picture = Picture(96, 70, (40, 22))
    for x, y in ((4, 4), (40, 4), (4, 24), (40, 24)):
        picture.box((x, y, 0), (x + 4, y + 4, 11), WALNUT)
    picture.box((1, 1, 11), (47, 31, 14), OAK)
    picture.box((8, 8, 14), (16, 14, 14.6), WHITE)
    picture.box((28, 18, 14), (37, 24, 14.6), WHITE)
    picture.box((20, 12, 14), (24, 16, 18), BLUE)
    picture.box((34, 8, 14), (36.5, 10.5, 17.5), RED)
    picture.outline()
    return picture


def sofa(shades: Shades) -> Picture:
    """A sofa that faces the lower left, two tiles along x."""
    picture = Picture(68, 60, (20, 32))
    picture.box((0, 0, 0), (32, 5, 20), shades)
    picture.box((0, 0, 0), (5, 16, 14), shades)
    picture.box((5, 5, 0), (27, 16, 9), shades)
    picture.box((27, 0, 0), (32, 16, 14), shades)
    picture.box((8, 5, 9), (15, 7, 15), YELLOW)
    picture.outline()
    return picture


def door(state: str) -> Picture:
    """The door in the left wall, one and a half tiles wide along y."""
    picture = Picture(40, 70, (30, WALL + 2))

    def leaf(along: float, z: float) -> Colour | None:
        if along < 2 or along > 18 or z > 40:
            return colour("#fff3d6")
        if state == "open":
            return colour("#5b4a86") if z > 12 else colour("#47396b")
        if 8 < along < 12 and 26 < z < 36:
            return colour("#bfe9ff")
        if 3.5 < along < 5 and 18 < z < 21:
            return colour("#ffd75e")
        return colour("#8d5630") if (z % 13 < 1 or along % 8 < 1) else colour("#b2743f")

    picture.box((-0.6, 2, 0), (0.2, 22, 42), OAK, right=leaf, edges=False)
    picture.outline()
    return picture


def board() -> Picture:
    """The whiteboard on the right wall, three tiles wide."""
    picture = Picture(60, 62, (4, 54))

    def face(along: float, z: float) -> Colour | None:
        if along < 1.5 or along > 44.5 or z < 21.5 or z > 46:
            return colour("#9aa3b5")
        marks = {
            (5, 9, 34, 43): "#f6c945",
            (11, 15, 36, 43): "#7cc7f0",
            (17, 21, 34, 41): "#f08a7d",
            (24, 42, 40, 41): "#5b6b8f",
            (24, 38, 37, 38): "#5b6b8f",
            (24, 40, 34, 35): "#5b6b8f",
            (6, 40, 28, 29): "#3fae6a",
            (34, 36, 25, 32): "#3fae6a",
        }
        for (a0, a1, z0, z1), ink in marks.items():
            if a0 <= along < a1 and z0 <= z < z1:
                return colour(ink)
        return colour("#ffffff")

    picture.box((0, -0.2, 20), (46, 1, 48), WHITE, left=face, edges=False)
    picture.box((8, 1, 20), (16, 2, 21), RED)
    picture.outline()
    return picture


def clock() -> Picture:
    """The clock on the right wall; its hands are drawn by the page."""
    picture = Picture(20, 24, (2, 48))
    picture.image = picture.image.crop((0, 0, 20, 24))
    picture.pixels = picture.image.load()
    for y in range(24):
        for x in range(20):
            distance = ((x - 9.5) ** 2 + (y - 11.5) ** 2) ** 0.5
            if distance < 6.6:
                picture.dot(x, y, colour("#fffdf4"))
            elif distance < 8.4:
                picture.dot(x, y, colour("#c8463d"))
    picture.outline()
    return picture


def poster(shades: Shades) -> Picture:
    """A picture on the right wall."""
    picture = Picture(24, 40, (4, 46))

    def face(along: float, z: float) -> Colour | None:
        if along < 1.2 or along > 10.8 or z < 25.2 or z > 40.8:
            return colour("#7d4f2f")
        hill = 29 + 4 * (1 - abs(along - 7) / 6)
        if (along - 4) ** 2 + (z - 37) ** 2 < 3:
            return colour("#fff3a8")
        return shades.left if z < hill - 2 else shades.top if z < hill else colour("#bfe9ff")

    picture.box((0, -0.2, 24), (12, 0.8, 42), CREAM, left=face, edges=False)
    picture.outline()
    return picture


def sideboard() -> Picture:
    """A low sideboard along the right wall, two tiles wide, with a radio, books and a cactus."""
    picture = Picture(68, 56, (18, 30))

    def doors(along: float, z: float) -> Colour | None:
        if z < 1.5:
            return colour("#57321f")
        if 10.4 < along < 11.4 or 20.6 < along < 21.6:
            return colour("#57321f")
        return colour("#ffd98a") if 7 <= z < 9 and int(along) in (8, 13, 23) else None

    def radio(along: float, z: float) -> Colour | None:
        if 4.5 < along < 9 and 16 < z < 20:
            return colour("#5a341e") if int(along + z) % 2 else colour("#8a5a2b")
        return colour("#ffd75e") if 10 < along < 12 and 17 < z < 19 else None

    picture.box((0, 0, 0), (32, 10, 13), WALNUT, left=doors)
    picture.box((-0.5, -0.5, 13), (32.5, 11, 14.5), OAK)
    picture.box((3, 3, 14.5), (13, 7, 21.5), CREAM, left=radio)
    for place, shades in enumerate((RED, BLUE, YELLOW, TEAL)):
        left = 16 + 2 * place
        picture.box((left, 2, 14.5), (left + 2, 7, 20 + place % 3), shades)
    picture.box((26, 3, 14.5), (30, 7, 18), TERRACOTTA)
    picture.blob((28, 5, 22), (2.4, 4.6), LEAF)
    picture.blob((30, 5, 22), (1.3, 2), LEAF)
    picture.outline()
    return picture


def printer() -> Picture:
    """A cabinet with a printer on it, on one tile."""
    picture = Picture(36, 48, (17, 30))

    def front(along: float, z: float) -> Colour | None:
        if z % 6 < 1:
            return colour("#57321f")
        return colour("#ffd98a") if 3 <= z % 6 < 4 and 6 < along < 10 else None

    def slot(along: float, z: float) -> Colour | None:
        if 4 < along < 12 and 14.5 < z < 16:
            return colour("#313347")
        return colour("#6dff9c") if 11.5 < along < 13 and 19 < z < 20.5 else None

    picture.box((2, 2, 0), (14, 14, 12), WALNUT, left=front)
    picture.box((1.5, 1.5, 12), (14.5, 14.5, 13), OAK)
    picture.box((2.5, 3, 13), (13.5, 12, 22), WHITE, left=slot)
    picture.box((4, 4, 22), (12, 8, 23), DARK)
    picture.box((5, 4, 23), (11, 5.5, 28), WHITE)
    picture.box((5, 12, 14.5), (11, 15.5, 15.2), CREAM)
    picture.outline()
    return picture


def boxes() -> Picture:
    """Some boxes that nobody has unpacked yet, on one tile."""
    picture = Picture(36, 44, (17, 26))
    card = Shades("#e0b070", "#c08a4c", "#a5733b", "#f0c890")

    def tape(along: float, _: float) -> Colour | None:
        return colour("#f4e2b4") if 5 < along % 16 < 7.5 else None

    picture.box((1, 3, 0), (13, 14, 9), card, left=tape)
    picture.box((3, 2, 9), (12, 11, 17), card, left=tape)
    picture.box((9, 10, 0), (15, 15, 5), card)
    picture.outline()
    return picture


def beanbag(shades: Shades) -> Picture:
    """A seat that is no more than a bag, on one tile."""
    picture = Picture(34, 34, (17, 18))
    picture.blob((8, 8, 4), (12, 7), shades)
    picture.blob((6, 6, 9), (8.5, 6), shades)
    picture.blob((9, 9, 7), (5, 3), shades)
    picture.outline()
    return picture


def lamp() -> Picture:
    """A standard lamp, on one tile; the page draws its light."""
    picture = Picture(30, 60, (15, 42))
    picture.box((5, 5, 0), (11, 11, 1.5), DARK)
    picture.box((7.4, 7.4, 1.5), (8.8, 8.8, 30), STEEL)
    picture.box((3.5, 3.5, 30), (12.5, 12.5, 39), YELLOW)
    picture.outline()
    return picture


def cooler() -> Picture:
    """The water cooler, on one tile."""
    picture = Picture(30, 54, (14, 36))
    picture.box((4, 4, 0), (12, 12, 18), WHITE)
    picture.box((5, 5, 18), (11, 11, 31), BLUE)
    picture.box((6, 12, 11), (8, 13, 13), RED)
    picture.outline()
    return picture


def tree(kind: str) -> Picture:
    """A tree that stands outside, on one tile: round as a lime, pointed as a fir, or no more than a bush."""
    picture = Picture(44, 66, (22, 48))
    if kind != "bush":
        picture.box((6.8, 6.8, 0), (9.6, 9.6, 14), WALNUT)
    if kind == "round":
        for dx, dy, z, r in ((8, 8, 22, 13), (2, 9, 25, 8), (14, 6, 25, 8), (4, 4, 33, 9), (10, 6, 36, 8)):
            picture.blob((dx, dy, z), (r, r * 0.82), LEAF)
        for dx, dy, z in ((5, 12, 22), (12, 9, 19), (8, 6, 33), (3, 5, 29)):
            picture.blob((dx, dy, z), (2, 1.6), LEAF)
    elif kind == "fir":
        for z, r in ((11, 12), (19, 10), (27, 8), (34, 5.5), (40, 3)):
            picture.blob((8, 8, z), (r, r * 0.62), FIR)
    else:
        for dx, dy, z, r in ((8, 8, 5, 9), (4, 9, 7, 6), (12, 7, 7, 6), (8, 7, 10, 6)):
            picture.blob((dx, dy, z), (r, r * 0.8), LEAF)
        for dx, dy, z, shades in ((5, 9, 9, RED), (11, 8, 8, YELLOW), (8, 7, 13, RED)):
            picture.blob((dx, dy, z), (1.6, 1.6), shades)
    picture.outline()
    return picture


def street_lamp() -> Picture:
    """A lamp next to a path, on one tile; the page draws its light."""
    picture = Picture(24, 60, (12, 46))
    picture.box((6.5, 6.5, 0), (9.5, 9.5, 2), DARK)
    picture.box((7.4, 7.4, 2), (8.8, 8.8, 32), DARK)
    picture.box((5.8, 5.8, 31), (10.4, 10.4, 38), YELLOW)
    picture.box((5, 5, 38), (11.2, 11.2, 40), DARK)
    picture.outline()
    return picture


FURNITURE: dict[str, Callable[[], Picture]] = {
    "floor-1": lambda: plank(False),
    "floor-2": lambda: plank(True),
    "carpet-blue": lambda: carpet(BLUE),
    "carpet-red": lambda: carpet(RED),
    "carpet-teal": lambda: carpet(TEAL),
    "wall-left": lambda: wall("left"),
    "wall-right": lambda: wall("right"),
    "window-left": lambda: wall("left", "window"),
    "window-right": lambda: wall("right", "window"),
    "corner": corner,
    "door-closed": lambda: door("closed"),
    "door-open": lambda: door("open"),
    "whiteboard": board,
    "clock": clock,
    "poster-green": lambda: poster(GREEN),
    "poster-purple": lambda: poster(PURPLE),
    "desk-off": lambda: desk("off"),
    "desk-on": lambda: desk("on"),
    "desk-work": lambda: desk("work"),
    "desk-work-2": lambda: desk("work", 2),
    "desk-work-3": lambda: desk("work", 3),
    "desk-error": lambda: desk("error"),
    "desk-wait": lambda: desk("wait"),
    "counter-off": lambda: counter("off"),
    "counter-on": lambda: counter("on"),
    "counter-work": lambda: counter("work"),
    "counter-error": lambda: counter("error"),
    "counter-wait": lambda: counter("wait"),
    "chair-blue": lambda: chair(BLUE),
    "chair-red": lambda: chair(RED),
    "chair-green": lambda: chair(GREEN),
    "chair-purple": lambda: chair(PURPLE),
    "plant-round": lambda: plant("round"),
    "plant-tall": lambda: plant("tall"),
    "plant-flowers": lambda: plant("flowers"),
    "rack-on": lambda: rack("on"),
    "rack-blink": lambda: rack("blink"),
    "rack-error": lambda: rack("error"),
    "rack-off": lambda: rack("off"),
    "shelf": shelf,
    "coffee": coffee,
    "table": table,
    "sofa-teal": lambda: sofa(TEAL),
    "sideboard": sideboard,
    "printer": printer,
    "boxes": boxes,
    "beanbag-red": lambda: beanbag(RED),
    "beanbag-purple": lambda: beanbag(PURPLE),
    "lamp": lamp,
    "cooler": cooler,
    "tree-round": lambda: tree("round"),
    "tree-fir": lambda: tree("fir"),
    "bush": lambda: tree("bush"),
    "street-lamp": street_lamp,
    **{f"cat-{pose}": partial(cat, pose) for pose in CAT_POSES},
}
