"""Boxes in 2:1 isometric view, set pixel by pixel.

A tile is 16 units wide and deep: 32 by 16 pixels. A point (x, y, z) lies at `x - y` to the right and `(x + y) / 2 - z`
below the origin: x goes to the lower right, y to the lower left, z up.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor

from PIL import Image

from art.palette import CLEAR, OUTLINE, Colour, Shades

Paint = Callable[[float, float], Colour | None]
"""The colour of a point of a face, by its two coordinates on it; None for that of the material."""


class Picture:
    """A picture with an origin somewhere on it."""

    def __init__(self, width: int, height: int, origin: tuple[int, int]) -> None:
        self.image = Image.new("RGBA", (width, height), CLEAR)
        self.pixels = self.image.load()
        self.width, self.height = width, height
        self.origin = origin

    def dot(self, x: int, y: int, colour: Colour) -> None:
        """Set a pixel, by its place on the picture."""
        if 0 <= x < self.width and 0 <= y < self.height and self.pixels is not None:
            self.pixels[x, y] = colour

    def at(self, x: int, y: int) -> Colour:
        """Return a pixel; clear beyond the edges."""
        if 0 <= x < self.width and 0 <= y < self.height and self.pixels is not None:
            found = self.pixels[x, y]
            return found if isinstance(found, tuple) else CLEAR  # type: ignore[return-value]
        return CLEAR

    def box(
        self,
        low: tuple[float, float, float],
        high: tuple[float, float, float],
        shades: Shades,
        *,
        top: Paint | None = None,
        left: Paint | None = None,
        right: Paint | None = None,
        edges: bool = True,
    ) -> None:
        """Draw a box; the left face is the one at the far end of y, the right one that at the far end of x.

        Args:
            low: its least x, y and z.
            high: its greatest.
            shades: its material.
            top: paints the top, by x and y.
            left: paints the left face, by x and z.
            right: paints the right face, by y and z.
            edges: whether the edges between the faces are lit.
        """
        (x0, y0, z0), (x1, y1, z1) = low, high
        ox, oy = self.origin
        for py in range(floor(oy + (x0 + y0) / 2 - z1) - 1, ceil(oy + (x1 + y1) / 2 - z0) + 2):
            for px in range(floor(ox + x0 - y1) - 1, ceil(ox + x1 - y0) + 2):
                sx, sy = px - ox + 0.5, py - oy + 0.5
                x, y = sy + z1 + sx / 2, sy + z1 - sx / 2
                if x0 <= x < x1 and y0 <= y < y1:
                    lit = edges and (x1 - x < 1 or y1 - y < 1)
                    self.dot(px, py, (top and top(x, y)) or (shades.light if lit else shades.top))
                    continue
                x, z = sx + y1, (sx + 2 * y1) / 2 - sy
                if x0 <= x < x1 and z0 <= z < z1:
                    self.dot(px, py, (left and left(x, z)) or shades.left)
                    continue
                y, z = x1 - sx, (2 * x1 - sx) / 2 - sy
                if y0 <= y < y1 and z0 <= z < z1:
                    self.dot(px, py, (right and right(y, z)) or shades.right)

    def blob(self, centre: tuple[float, float, float], radius: tuple[float, float], shades: Shades) -> None:
        """Draw a ball, or a leaf: an ellipse with its light above and its shade below."""
        ox, oy = self.origin
        x, y, z = centre
        cx, cy = ox + x - y, oy + (x + y) / 2 - z
        rx, ry = radius
        for py in range(floor(cy - ry), ceil(cy + ry) + 1):
            for px in range(floor(cx - rx), ceil(cx + rx) + 1):
                u, v = (px + 0.5 - cx) / rx, (py + 0.5 - cy) / ry
                if u * u + v * v <= 1:
                    light = u * 0.5 + v
                    self.dot(
                        px,
                        py,
                        shades.light if light < -0.55 else shades.top if light < 0.2 else shades.left,
                    )

    def outline(self, colour: Colour = OUTLINE) -> None:
        """Draw a line around everything that is drawn."""
        edge = [
            (x, y)
            for y in range(self.height)
            for x in range(self.width)
            if self.at(x, y)[3] == 0
            and any(self.at(x + dx, y + dy)[3] == 255 for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)))
        ]
        for x, y in edge:
            self.dot(x, y, colour)

    def map(self, rows: list[str], place: tuple[int, int], colours: dict[str, Colour]) -> None:
        """Draw a map of letters; dots and blanks leave what is there."""
        for dy, row in enumerate(rows):
            for dx, letter in enumerate(row):
                if letter not in ". ":
                    self.dot(place[0] + dx, place[1] + dy, colours[letter])

    def mirrored(self) -> Picture:
        """Return it seen in a mirror."""
        other = Picture(self.width, self.height, (self.width - self.origin[0], self.origin[1]))
        other.image = self.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        other.pixels = other.image.load()
        return other
