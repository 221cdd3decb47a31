"""What a terminal sends when keys are pressed, read into names of keys and typed characters."""

from __future__ import annotations

import codecs
import re

LONGEST = 32
"""What begins like a sequence and is longer than this is none."""

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[A-Za-z])")
_NAMES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x1b[C": "right",
    "\x1bOC": "right",
    "\x1b[D": "left",
    "\x1bOD": "left",
    "\x1b[5~": "page-up",
    "\x1b[6~": "page-down",
    "\x1b[H": "home",
    "\x1b[1~": "home",
    "\x1bOH": "home",
    "\x1b[F": "end",
    "\x1b[4~": "end",
    "\x1bOF": "end",
    "\x1b[Z": "back-tab",
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x15": "clear",
    "\x0c": "redraw",
    "\x03": "quit",
    "\x04": "quit",
}


class Keyboard:
    """Turns bytes into keys: a character is itself, everything else has a name of several letters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def read(self, data: bytes) -> list[str]:
        """Return the keys that are whole with these bytes; of unknown sequences nothing is left."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        keys: list[str] = []
        while text:
            if text[0] == "\x1b" and len(text) > 1 and text[1] in "[O":
                found = _SEQUENCE.match(text)
                if found is None and len(text) < LONGEST:
                    # It may go on with the next bytes.
                    self._rest = text
                    break
                if found is None:
                    text = text[1:]
                    continue
                if (name := _NAMES.get(found[0])) is not None:
                    keys.append(name)
                text = text[found.end() :]
                continue
            character, text = text[0], text[1:]
            if character == "\x1b":
                keys.append("escape")
            elif (name := _NAMES.get(character)) is not None:
                keys.append(name)
            elif character.isprintable():
                keys.append(character)
        return keys
