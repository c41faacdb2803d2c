"""What is pasted along with a link: characters that nobody sees, and the punctuation of the text around it.

None of it is cut off in silence: the user is told what to remove.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

_FILLERS: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0" + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0x180B, 0x1810)]))
)
"""Invisible, although they are no format characters: joiners, fillers, variation selectors."""

_NAMES: Final = {
    ".": "a full stop",
    ",": "a comma",
    ";": "a semicolon",
    ":": "a colon",
    "!": "an exclamation mark",
    "*": "an asterisk",
    "…": "an ellipsis",
    **dict.fromkeys(")]}>", "a closing bracket"),
    **dict.fromkeys("([{<", "an opening bracket"),
    **dict.fromkeys("'\"`“”„‟‘’‚«»‹›", "a quotation mark"),
    **dict.fromkeys("。、，；：！？）】》」』", "a punctuation mark"),
}
MARKS: Final = "".join(_NAMES)
"""Punctuation that follows a link in a text."""
_NEVER_LAST: Final = frozenset('<>"`“”„‟‘’‚«»‹›…')
"""No address ends with one of these: where they are meant, they are percent-encoded."""
_ENCODED_TAIL: Final = re.compile(r"(?:%[0-9a-f]{2})+$", re.IGNORECASE)


def unseen(link: str) -> str | None:
    """Advice about a character that is no part of any link: white space, controls, invisible ones."""
    if link.isascii() and link.isprintable() and " " not in link:
        return None
    for position, each in enumerate(link):
        if kind := _unseen_kind(each):
            where = {0: "starts with", len(link) - 1: "ends with"}.get(position, "contains")
            return f"the link {where} {kind} that was pasted along: remove it"
    return None


def before(link: str) -> str | None:
    """Advice about a bracket or quotation mark in front of ``https://``."""
    if link[:1] in _NAMES and link[1:].lower().startswith("https://"):
        return f"the link starts with {_NAMES[link[0]]} that was pasted along: remove it"
    return None


def never_last(link: str) -> str | None:
    """Advice about a character that ends no address."""
    return _advice(link) if link[-1:] in _NEVER_LAST else None


def after(text: str, pattern: re.Pattern[str]) -> str | None:
    """Advice about the end of ``text``, which ``pattern`` matches only without it."""
    if pattern.fullmatch(text) or not any(pattern.fullmatch(each) for each in _shortened(text)):
        return None
    return _advice(text)


def _advice(text: str) -> str:
    kind = _NAMES.get(text[-1]) or _unseen_kind(unquote(text[-12:])[-1]) or "a character"
    return f"the link ends with {kind} that was pasted along: remove it"


def _shortened(text: str) -> Iterator[str]:
    """``text`` without its last mark, its last two, …, whether they are written or percent-encoded."""
    while text:
        coded = _ENCODED_TAIL.search(text)
        if text[-1] in _NAMES:
            text = text[:-1]
        elif coded and all(map(_unseen_kind, unquote(coded[0]))):
            text = text[: coded.start()]
        else:
            return
        yield text


def _unseen_kind(character: str) -> str | None:
    if character in "\r\n\u2028\u2029":
        return "a line break"
    if character.isspace():
        return "a blank"
    category = unicodedata.category(character)
    if category == "Cf" or character in _FILLERS:
        return f"an invisible character (U+{ord(character):04X})"
    return "a control character" if category in ("Cc", "Cs") else None
