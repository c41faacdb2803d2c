"""Keeps links, passcodes and tokens out of everything the bot writes for others: logs, events, messages.

Two nets, because one is never enough: every address is cut to its origin whatever it is, and the secrets that this
session knows are replaced wherever they appear, also inside a page's own error message.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

REDACTED: Final = "[redacted]"

_ADDRESS = re.compile(r"\b(https?|wss?)://([^\s/?#\"'<>\\]+@)?([^\s/?#\"'<>\\@]+)([/?#][^\s\"'<>\\]*)?", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer\s+)\S+", re.IGNORECASE)
_SHORTEST = 5
"""Parts of a link that are shorter (``/j/``, ``true``) would redact ordinary words and guard nothing."""


class Redactor:
    """Callable that returns a text without the session's secrets."""

    __slots__ = ("_known",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST}
        # The longest first: a part must not break up the whole before the whole was found.
        self._known = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True)))) if known else None

    @classmethod
    def for_link(cls, link: str, *more: str) -> "Redactor":
        """Knows the link, its path, query and fragment, each part of them that could be a key, and ``more``."""
        parts = urlsplit(link)
        tail = link.partition("://")[2].partition("/")[2]
        pieces = re.split(r"[/?&=#]", f"{parts.path}?{parts.query}#{parts.fragment}")
        # A plain word of a platform's path ("meetup-join") tells nothing; a piece with a digit may be a key.
        keys = [piece for piece in pieces if any(letter.isdigit() for letter in piece) or len(piece) >= 16]
        return cls((link, tail, *keys, *(unquote(key) for key in keys), *more))

    def __call__(self, text: str) -> str:
        """``text`` with addresses cut to their origin and known secrets replaced."""
        text = _ADDRESS.sub(lambda found: f"{found[1]}://{found[3]}" + ("/…" if found[4] else ""), text)
        text = _BEARER.sub(rf"\1{REDACTED}", text)
        return self._known.sub(REDACTED, text) if self._known else text

    def throughout(self, value: object) -> object:
        """``value`` with each text in it cleaned, however deep in lists and mappings it lies."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {name: self.throughout(each) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.throughout(each) for each in value]
        return value
