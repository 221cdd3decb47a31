"""The people: two heads tall, seen from the front and from the back, in layers that are put together for each one.

Every map is that of a person who faces the lower left (front) or the upper left (back); the other two facings are their
mirror images. The letters are those of `palette.PEOPLE`.
"""

from __future__ import annotations

from art.iso import Picture
from art.palette import PEOPLE

WIDTH, HEIGHT = 24, 32
ANCHOR = (12, 30)
"""Where the feet stand."""

HEAD_FRONT = """
.....oooooo...
...oosssssso..
..osssssssssoo
.ossssssssssSo
.ossssssssssSo
osssssssssssSo
osssssssssssSo
osesssessssSSo
osesssesssSSSo
orssssssrsSSSo
.ossmmssssSSo.
..oossssSSoo..
....oooooo....
""".strip().split("\n")

HEAD_BACK = """
..oooooo......
.osssssssoo...
oosssssssssSo.
osssssssssssSo
osssssssssssSo
osssssssssssSo
osssssssssssSo
osssssssssssSo
osssssssssssSo
osssssssssssSo
.osssssssssSo.
..ooSSSSSSoo..
....oooooo....
""".strip().split("\n")

# Hair lies over a head, from one row above it on.
HAIR_FRONT = {
    "short": """
.....oooooo...
...oohhhhhhoo.
..ohiihhhhhhho
.ohihhhhhhhhho
.ohhhhhhhhhhHo
ohhhhhhhhhhhHo
ohshhshhhhhhHo
os.hs..hhhhHHo
o.......shhHHo
o........sHHHo
...........HHo
............o.
..............
""",
    "bob": """
.....oooooo...
...oohhhhhhoo.
..ohiihhhhhhho
.ohihhhhhhhhho
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohh.s..shhhHHo
ohh......hhHHo
oh.......hhHHo
oh.......hHHHo
ohh......hHHo.
.oo......oHo..
..........o...
""",
    "long": """
.....oooooo...
...oohhhhhhoo.
..ohiihhhhhhho
.ohihhhhhhhhho
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhshhhhhhhhHo
oh....shhhhhHo
oh.......hhHHo
oh.......hhHHo
oh.......hhHHo
ohh......hhHHo
.oho.....hhHHo
..oo.....hHHHo
.........oHHHo
..........ooo.
""",
    "spiky": """
..o..oo..o.o..
.oho.oho.ohoo.
.ohhohhhohhhho
oohhhihhhhhhho
ohhihhhhhhhhHo
ohihhhhhhhhhHo
.ohhhhhhhhhhHo
ohshhshshhhHHo
o.hs.hs.hhhHHo
o........sHHHo
...........Ho.
............o.
""",
    "curly": """
....oooooo....
..oohihhihoo..
.ohhhhhhhhhhoo
ohihhihhihhhho
ohhhhhhhhhhhHo
ohhihhihhhhhHo
ohhhhhhhhhhHHo
ohhs.hs.hhhHHo
ohs......hhHHo
oh.......hHHHo
.o.......sHHHo
..........oHo.
...........o..
""",
    "bun": """
......oooo....
.....ohihho...
.....ohhhHo...
...ooohhhhoo..
..ohhhhhhhhho.
.ohihhhhhhhhho
.ohhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhs...shhhhHo
oh......shhHHo
o........sHHHo
...........HHo
............o.
""",
    "cap": """
.....oooooo...
...ooaaaaaaoo.
..oaaaaaaaaaao
.oaaaaaaaaaaAo
.oaaaaaaaaaAAo
oAAAAaaaaaaAAo
oooooooooooAAo
oo..hs..hhhHHo
o........hhHHo
o.........HHHo
...........Ho.
............o.
""",
    "bald": """
..............
..............
..............
..............
..............
..............
..........HHo.
...........HHo
...........HHo
...........HHo
............o.
""",
}

HAIR_BACK = {
    "short": """
..oooooo......
.ohhhhhhhoo...
ohhihhhhhhhoo.
ohihhhhhhhhhho
ohhhhhhhhhhhho
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhHHo
.oHhhhhhhhHHo.
..oHHHHHHHHo..
...oooooooo...
""",
    "bob": """
..oooooo......
.ohhhhhhhoo...
ohhihhhhhhhoo.
ohihhhhhhhhhho
ohhhhhhhhhhhho
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhHHo
ohhhhhhhhhhHHo
ohhhhhhhhhHHHo
oHhhhhhhhHHHHo
.oHHHHHHHHHHo.
..oooooooooo..
""",
    "long": """
..oooooo......
.ohhhhhhhoo...
ohhihhhhhhhoo.
ohihhhhhhhhhho
ohhhhhhhhhhhho
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhHHo
ohhhhhhhhhhHHo
ohhhhhhhhhHHHo
ohhhhhhhhhHHHo
ohhhhhhhhHHHHo
oHhhhhhhhHHHHo
.oHHHHHHHHHHo.
..oooooooooo..
""",
    "spiky": """
..o.o..oo..o..
.ohoho.oho.oho
.ohhhhohhhohho
ohhihhhhhhhhho
ohihhhhhhhhhho
ohhhhhhhhhhhho
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhHHo
.oHhhHhhhHhHo.
..oHooHHooHo..
...o..oo..o...
""",
    "curly": """
....oooooo....
..oohihhihoo..
oohhhhhhhhhho.
ohhihhihhihhho
ohhhhhhhhhhhHo
ohihhihhihhhHo
ohhhhhhhhhhHHo
ohhihhihhhhHHo
ohhhhhhhhhHHHo
ohHhhHhhHhHHHo
.oHHhHHHhHHHo.
..oooHHHHooo..
.....oooo.....
""",
    "bun": """
....oooo......
...ohihho.....
...ohhhHo.....
..oohhhhooo...
.ohhhhhhhhhoo.
ohihhhhhhhhhho
ohhhhhhhhhhhho
ohhhhhhhhhhhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhHHo
.oHhhhhhhHHHo.
..oHHHHHHHHo..
...oooooooo...
""",
    "cap": """
..oooooo......
.oaaaaaaaoo...
oaaaaaaaaaaoo.
oaaaaaaaaaaaao
oaaaaaaaaaaaAo
oaaaaaaaaaaAAo
oAAAAAAAAAAAAo
ohhhhhhhhhhhHo
ohhhhhhhhhhHHo
.oHhhhhhhHHHo.
..oHHHHHHHHo..
...oooooooo...
""",
    "bald": """
..............
..............
..............
..............
..............
.oh........ho.
ohhh......hhHo
ohhhhhhhhhhhHo
ohhhhhhhhhhHHo
.oHhhhhhhHHHo.
..oHHHHHHHHo..
...oooooooo...
""",
}

ACCESSORIES = {
    "glasses": [(1, 7, ["kkkkkkkkkk", "kwekkwek", "kkkk.kkk"])],
    "beard": [(1, 10, ["hh....hhHH", "hhhmmhhhH.", ".hhhhhhH..", "..oooooo.."])],
    "headset": [(2, 0, [".eeeeeeeee."]), (9, 5, ["eee", "eae", "eAe", "eee"]), (4, 11, ["eeeee"])],
    "bow": [(8, -1, ["aa..aa", "aaAaaa", "aa..aa"])],
    "none": [],
}
"""What somebody wears, from the front: places on the head, and what lies there."""

ACCESSORIES_BACK = {
    "headset": [(2, 0, [".eeeeeeeee."]), (0, 6, ["ee", "ea", "ea", "ee"])],
    "bow": [(4, -1, ["aa..aa", "aaAaaa", "aa..aa"])],
}

# Bodies: shoulders to feet, 14 wide; a head is put on top of them.
STAND_FRONT = """
...oooooooo...
..occcccccco..
.occcdcccccCo.
.occcdccccCCo.
.oscccccccCSo.
.ossccccccsSo.
..oottttTToo..
...otttoTTo...
...obboobbo...
...oooooooo...
"""
WALK_FRONT_1 = """
...oooooooo...
..occcccccco..
.occcdcccccCo.
.oscccccccCCo.
.ossccccccCSo.
..occcccccCSo.
..ottttTTToo..
.obttooTTTo...
.obbo..obbo...
.oooo..oooo...
"""
WALK_FRONT_2 = """
...oooooooo...
..occcccccco..
.occcdcccccCo.
.occcdccccCCo.
.oscccccccCso.
.osccccccCSso.
..oottttTTToo.
...otttoTTbbo.
...obbo.oobbo.
...oooo..ooo..
"""
STAND_BACK = """
...oooooooo...
..occcccccco..
.occcccccccCo.
.occcccccccCo.
.oscccccccCSo.
.oscccccccCSo.
..oottttTToo..
...otttoTTo...
...obboobbo...
...oooooooo...
"""
WALK_BACK_1 = """
...oooooooo...
..occcccccco..
.occcccccccCo.
.oscccccccCCo.
.oscccccccCSo.
..occcccccCSo.
..ottttTTToo..
.obttooTTTo...
.obbo..obbo...
.oooo..oooo...
"""
WALK_BACK_2 = """
...oooooooo...
..occcccccco..
.occcccccccCo.
.occcccccccCo.
.oscccccccCso.
.oscccccccCso.
..oottttTTToo.
...otttoTTbbo.
...obbo.oobbo.
...oooo..ooo..
"""
RAISE_FRONT_1 = """
...oooooooooo.
..occcccccsso.
.occcdccccCCo.
.occcdccccCo..
.oscccccccCo..
.ossccccccCo..
..oottttTToo..
...otttoTTo...
...obboobbo...
...oooooooo...
"""
DRINK_FRONT_1 = """
...oooooooo...
..occcccccco..
.occcdcccccCo.
.occsswwccCCo.
.occsswwccCSo.
..occccccCsSo.
..oottttTToo..
...otttoTTo...
...obboobbo...
...oooooooo...
"""
DRINK_FRONT_2 = """
...oooooooo...
..ocsswwccco..
.occsswwcccCo.
.occcdccccCCo.
.occccccccCSo.
..occccccCsSo.
..oottttTToo..
...otttoTTo...
...obboobbo...
...oooooooo...
"""
# Sitting at a desk in front of the person, seen from behind: hands on the keys.
TYPE_BACK_1 = """
...oooooooo...
..occcccccco..
.oscccccccCso.
osscccccccCsso
.oocccccccCoo.
..occccccCCo..
..ottttttTTo..
...oooooooo...
"""
TYPE_BACK_2 = """
...oooooooo...
..occcccccco..
osscccccccCso.
.oocccccccCsso
..occcccccCoo.
..occccccCCo..
..ottttttTTo..
...oooooooo...
"""
TYPE_FRONT_1 = """
...oooooooo...
..occcccccco..
.occcdcccccCo.
ossccdccccCCo.
.ooccccccCsso.
..occccccCoo..
..ottttttTTo..
...oooooooo...
"""
TYPE_FRONT_2 = """
...oooooooo...
..occcccccco..
.occcdcccccCo.
.occcdccccsso.
osscccccccCoo.
.oocccccCCo...
..ottttttTTo..
...oooooooo...
"""
SLUMP_FRONT = """
...oooooooo...
..occcccccco..
.occcdcccccCo.
osccccccccCCso
ossccccccCCsso
.ooccccccCCoo.
..ottttttTTo..
...oooooooo...
"""
JUMP_FRONT = """
oo.oooooooo.oo
osoccccccccoso
.oscccccccCso.
..occdcccCCo..
..occccccCCo..
..occcccccCo..
..oottttTToo..
..obtto.oTbo..
..obbo...obo..
..ooo....oo...
"""

FRAMES: dict[str, tuple[str, str, int]] = {
    # name: facing, body, how much lower the head is
    "stand-front": ("front", STAND_FRONT, 0),
    "bob-front": ("front", STAND_FRONT, 1),
    "walk-front-1": ("front", WALK_FRONT_1, 1),
    "walk-front-2": ("front", WALK_FRONT_2, 1),
    "stand-back": ("back", STAND_BACK, 0),
    "bob-back": ("back", STAND_BACK, 1),
    "walk-back-1": ("back", WALK_BACK_1, 1),
    "walk-back-2": ("back", WALK_BACK_2, 1),
    "raise-front-1": ("front", RAISE_FRONT_1, 0),
    "drink-front-1": ("front", DRINK_FRONT_1, 0),
    "drink-front-2": ("front", DRINK_FRONT_2, 0),
    "type-back-1": ("back", TYPE_BACK_1, 0),
    "type-back-2": ("back", TYPE_BACK_2, 1),
    "type-front-1": ("front", TYPE_FRONT_1, 0),
    "type-front-2": ("front", TYPE_FRONT_2, 1),
    "slump-front": ("front", SLUMP_FRONT, 3),
    "jump-front": ("front", JUMP_FRONT, -1),
}

RAISED_ARM = [".oo.", "osso", "osSo", "occo", "occo", "ocCo", "ocCo", ".oCo"]
"""Over the head, so that it is seen from everywhere."""

RAISED_ARM_PLACE = (18, 9)


def rows(text: str) -> list[str]:
    """Return the rows of a map."""
    return text.strip("\n").split("\n")


def body(frame: str) -> Picture:
    """Draw a frame's body, without head."""
    picture = Picture(WIDTH, HEIGHT, ANCHOR)
    _, text, _ = FRAMES[frame]
    lines = rows(text)
    picture.map(lines, (5, ANCHOR[1] + 1 - len(lines)), PEOPLE)
    return picture


def over(frame: str) -> Picture:
    """Draw what of a frame lies over the head."""
    picture = Picture(WIDTH, HEIGHT, ANCHOR)
    if frame.startswith("raise"):
        picture.map(RAISED_ARM, RAISED_ARM_PLACE, PEOPLE)
    return picture


def head_place(frame: str) -> tuple[int, int]:
    """Return where the upper left corner of a frame's head lies."""
    _, text, lower = FRAMES[frame]
    return 5, ANCHOR[1] + 1 - len(rows(text)) - 12 + lower


def head(facing: str) -> Picture:
    """Draw the bare head of a facing, in a cell of its own: its corner at (5, 3)."""
    picture = Picture(WIDTH, 20, (5, 3))
    picture.map(HEAD_FRONT if facing == "front" else HEAD_BACK, (5, 3), PEOPLE)
    return picture


def hair(facing: str, style: str) -> Picture:
    """Draw hair, in a cell like that of the head."""
    picture = Picture(WIDTH, 20, (5, 3))
    lines = rows((HAIR_FRONT if facing == "front" else HAIR_BACK)[style])
    above = 3 if style == "bun" else 1
    picture.map(lines, (5, 3 - above), PEOPLE)
    return picture


def accessory(facing: str, name: str) -> Picture:
    """Draw what somebody wears on the head, in a cell like that of the head."""
    picture = Picture(WIDTH, 20, (5, 3))
    worn = ACCESSORIES[name] if facing == "front" else ACCESSORIES_BACK.get(name, [])
    for dx, dy, lines in worn:
        picture.map(lines, (5 + dx, 3 + dy), PEOPLE)
    return picture
