"""What an escaped text means, and where in it each meaning stands: percent, JSON and HTML escapes, also mixed.

JSON's escapes of control characters stay as they are: no secret holds one, and a page may mean the letter.
"""

import html
import re
from array import array
from collections.abc import Iterator
from typing import Final

_LEVELS: Final = 3
"""A link inside a link's query inside a JSON text is escaped as often."""
_ESCAPES: Final = re.compile(
    r"(?:%[0-9a-f]{2})+|(?:\\u[0-9a-f]{4})+|\\[\"\\/]|&(?:amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#x[0-9a-f]{1,6});",
    re.IGNORECASE,
)


def readings(text: str) -> Iterator[tuple[str, "array[int]"]]:
    """``text`` as it is, then with its escapes decoded once, twice, …, as long as there are any.

    Each with the offsets in ``text`` at which its characters begin, and one more for the end.
    """
    offsets = array("I", range(len(text) + 1))
    yield text, offsets
    for _ in range(_LEVELS):
        if _ESCAPES.search(text) is None:
            return
        text, offsets = _decoded(text, offsets)
        yield text, offsets


def _decoded(text: str, offsets: "array[int]") -> tuple[str, "array[int]"]:
    pieces: list[str] = []
    begins = array("I")
    done = 0
    for found in _ESCAPES.finditer(text):
        pieces.append(text[done : found.start()])
        begins.extend(offsets[done : found.start()])
        for character, at in _meanings(found[0]):
            pieces.append(character)
            begins.append(offsets[found.start() + at])
        done = found.end()
    pieces.append(text[done:])
    begins.extend(offsets[done:])
    return "".join(pieces), begins


def _meanings(escape: str) -> Iterator[tuple[str, int]]:
    """Characters that an escape, or a run of escapes, stands for, each with its offset in it."""
    if escape[0] == "&":
        yield from ((each, 0) for each in html.unescape(escape))
    elif escape[0] == "%":
        yield from _characters(bytes.fromhex(escape.replace("%", "")), "utf-8", 1, 3)
    elif escape[1] in "uU":
        units = b"".join(int(each, 16).to_bytes(2, "big") for each in re.split(r"\\u", escape, flags=re.IGNORECASE)[1:])
        yield from _characters(units, "utf-16-be", 2, 6)
    else:
        yield escape[1], 0


def _characters(coded: bytes, encoding: str, unit: int, width: int) -> Iterator[tuple[str, int]]:
    at = 0
    while at < len(coded):
        for length in range(unit, 5, unit):
            try:
                character = coded[at : at + length].decode(encoding)
            except UnicodeDecodeError:
                continue
            break
        else:
            character, length = "\ufffd", unit
        yield character, at // unit * width
        at += length
