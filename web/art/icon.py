"""The icon of the installed dashboard: the screen of `public/icon.svg`, in the sizes that systems ask for."""

from __future__ import annotations

from PIL import Image

from art.palette import CLEAR, Colour, colour

EDGE, PAPER, SCREEN, LINE = (colour(text) for text in ("#4a2f1c", "#f8ecd0", "#5b4b8a", "#7ed957"))
GROUND = colour("#463a70")
SIDE = 16

GRAPH = {(x, y - up) for x, y in ((5, 8), (6, 7), (7, 6), (8, 7), (9, 6), (10, 5)) for up in (0, 1)}


def symbol() -> Image.Image:
    """Draw the symbol, 16 pixels wide."""
    image = Image.new("RGBA", (SIDE, SIDE), CLEAR)
    for y in range(SIDE):
        for x in range(SIDE):
            found = _at(x, y)
            if found is not None:
                image.putpixel((x, y), found)
    return image


def _at(x: int, y: int) -> Colour | None:
    # Counted from the nearest edge: the corners are cut off in steps.
    near, far = sorted((min(x, SIDE - 1 - x), min(y, SIDE - 1 - y)))
    if near < 1 or near + far < 4:
        return None
    if near < 2 or near + far < 6:
        return EDGE
    if (x, y) in GRAPH:
        return LINE
    if 4 <= x < 12 and 4 <= y < 10:
        return SCREEN
    if (y == 10 and 7 <= x < 9) or (y == 11 and 5 <= x < 11):
        return EDGE
    return PAPER


def icon(size: int, share: float = 1.0) -> Image.Image:
    """Enlarge the symbol to a square, crisp.

    Args:
        size: the square's side, in pixels.
        share: how much of it the symbol takes; below 1 it lies on a ground that a system may cut to any shape.
    """
    scale = int(size * share) // SIDE
    large = symbol().resize((SIDE * scale, SIDE * scale), Image.Resampling.NEAREST)
    image = Image.new("RGBA", (size, size), CLEAR if share == 1 else GROUND)
    margin = (size - SIDE * scale) // 2
    image.alpha_composite(large, (margin, margin))
    return image


ICONS = {
    "icon-192": lambda: icon(192),
    "icon-512": lambda: icon(512),
    # The middle 80 percent are safe, whatever shape a system cuts: https://www.w3.org/TR/appmanifest/#icon-masks
    "icon-maskable-512": lambda: icon(512, 0.66),
    "apple-touch-icon": lambda: icon(180, 0.8),
}
