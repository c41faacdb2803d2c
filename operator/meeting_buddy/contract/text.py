"""Text that anybody may have chosen: names, dialogs, console lines. One function makes it fit to be kept and shown.

A guest's name reaches files, logs, the report, the session's status and terminals. JavaScript strings may hold lone
surrogates, which no UTF-8 writer takes; direction marks and invisible characters make a text look like another.
"""

import json
import re
import unicodedata
from typing import Final

MAX_NAME: Final = 100
"""Code points of a person's name."""
MAX_LINE: Final = 500
"""Code points of a dialog's text, a line of the console, an error that quotes the page."""
WITHOUT_BLANKS: Final = (
    r"\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff"
    r"\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
"""Ranges of a regular expression: scripts that put no blanks between words, or let endings follow a name."""

_RAW_FACTOR: Final = 8
"""How much more of the raw text than the limit is looked at: a text of megabytes is not normalised for one name."""

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_UNSEEN_SET: Final = (
    # Controls that are not white space; what is white space becomes one blank.
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
    # Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties): zero width, direction, tags, variation, fillers.
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    # Interlinear annotation, and code points that are no characters.
    r"\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 17))
)
_UNSEEN: Final = re.compile(f"[{_UNSEEN_SET}]")
_JOINERS: Final = "\u200c\u200d"
_UNSEEN_BUT_JOINERS: Final = re.compile(f"(?![{_JOINERS}])[{_UNSEEN_SET}]")
_JOINERS_IN_A_ROW: Final = re.compile(f"[{_JOINERS}]+")
_ESCAPED: Final = re.compile(rf"[{_UNSEEN_SET}\x85\u2028\u2029]")


def well_formed(text: str) -> str:
    """``text`` as UTF-8 can hold it: two surrogates that are a pair become one character, a lone one U+FFFD."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def json_text(document: object, indent: int | None = None) -> str:
    """JSON of ``document``, without ``indent`` on one line whatever is in it. Never raises for a text's content.

    What JSON cannot hold is written as text.
    """
    separators = (",", ":") if indent is None else None
    return escaped_json(json.dumps(document, ensure_ascii=False, indent=indent, separators=separators, default=str))


def escaped_json(text: str) -> str:
    """JSON with controls, line separators and invisible characters as escapes.

    Readers get them back, while terminals, and programs that split lines as Unicode does, are not led astray.
    """
    if text.isascii() and "\x7f" not in text:
        return text  # JSON has escaped the other controls
    return _ESCAPED.sub(lambda found: json.dumps(found[0])[1:-1], well_formed(text))


def utf8(text: str) -> bytes:
    """Bytes of ``text`` for a file or a socket. Never raises: a writer must not fail for what somebody is called."""
    return well_formed(text).encode()


def page_text(text: str, limit: int) -> str:
    """A page's ``text`` on one line, as NFC, at most ``limit`` code points, without controls and invisible characters.

    Applying it again changes nothing.
    """
    text = well_formed(text[: limit * _RAW_FACTOR])
    text = " ".join(_UNSEEN.sub("", text).split())
    return unicodedata.normalize("NFC", text)[:limit].rstrip()


def spoken_text(text: str, limit: int) -> str:
    """As :func:`page_text`, for words and not for names: joiners stay where they are spelling (Persian, Sinhala).

    Those are U+200C and U+200D, one of them between two letters or marks.
    """
    text = well_formed(text[: limit * _RAW_FACTOR])
    text = _JOINERS_IN_A_ROW.sub(_spelt, _UNSEEN_BUT_JOINERS.sub("", text))
    return unicodedata.normalize("NFC", " ".join(text.split()))[:limit].rstrip(f" {_JOINERS}")


def _spelt(joiners: re.Match[str]) -> str:
    """What of these joiners is spelling."""
    text, before, behind = joiners.string, joiners.start() - 1, joiners.end()
    inside = before >= 0 and behind < len(text)
    spelling = inside and all(unicodedata.category(text[each])[0] in "LM" for each in (before, behind))
    return joiners[0][0] if spelling else ""
