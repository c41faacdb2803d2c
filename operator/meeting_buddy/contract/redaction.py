"""Keeps links, passcodes and tokens out of everything that is written for others: logs, events, messages, status.

Two nets, because one is never enough: every address is cut to its origin whatever it is, and the secrets that this
session knows are replaced wherever they appear, in any case, escaped or not, also inside a page's own error message.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple

from meeting_buddy.contract.escapes import readings
from meeting_buddy.contract.link_secrets import SHORTEST, UNKNOWN_PLATFORM, link_secrets
from meeting_buddy.contract.links import LinkRules
from meeting_buddy.contract.text import MAX_NAME, WITHOUT_BLANKS, page_text

REDACTED: Final = "[redacted]"

_ADDRESS = re.compile(r"\b(https?|wss?)://([^\s/?#\"'<>\\]+@)?([^\s/?#\"'<>\\@]+)([/?#][^\s\"'<>\\]*)?", re.IGNORECASE)
_LETTER: Final = rf"[^\W\d_{WITHOUT_BLANKS}]"
"""Beside one of these a word is part of another one."""
_WORD_BEGINS: Final = (
    rf"(?:(?<!{_LETTER})|(?<=\\[bfnrt])|(?<=%[0-9a-f]{{2}})|(?<=\\x[0-9a-f]{{2}})|(?<=\\u[0-9a-f]{{4}}))"
)
"""Also behind an escape that no reading decodes."""
_LONG_NUMBER: Final = 9
"""Pages print numbers of so many digits in groups; a shorter one, in whatever groups, would be found in dates."""
_BETWEEN_DIGITS: Final = r"[ \u00a0\u202f\u2010-\u2015-]?"
_BEARER = re.compile(r"\bbearer\s+(\S+)", re.IGNORECASE)


class _Span(NamedTuple):
    """A stretch of a text, and what stands there instead."""

    start: int
    end: int
    instead: str


class Redactor:
    """Callable that returns a text without the session's secrets."""

    __slots__ = ("_known", "_secrets")

    def __init__(self, secrets: Iterable[str] = (), words: Iterable[str] = ()) -> None:
        """``words``: secrets that are none inside a longer word."""
        patterns = {form: f"{_WORD_BEGINS}{re.escape(form)}(?!{_LETTER})" for form in _forms(words)}
        patterns |= {form: _pattern(form) for form in _forms(secrets)}
        # The longest first: a part must not break up the whole before the whole was found.
        known = sorted(patterns, key=len, reverse=True)
        alternatives = dict.fromkeys(patterns[form] for form in known)
        self._known = re.compile("|".join(alternatives), re.IGNORECASE) if known else None
        self._secrets = tuple(form.lower() for form in known)

    @classmethod
    def for_link(
        cls, link: str, *more: str, rules: LinkRules = UNKNOWN_PLATFORM, passcode: str | None = None
    ) -> "Redactor":
        """Knows the link's secrets (:func:`link_secrets`), the passcode that the link does not carry, and ``more``."""
        found = link_secrets(link, rules)
        return cls((*found.anywhere, passcode or "", *more), found.words)

    def __call__(self, text: str) -> str:
        """``text`` with addresses cut to their origin and known secrets replaced."""
        pieces: list[str] = []
        done = 0
        for span in _merged(list(self._found(text))):
            pieces += (text[done : span.start], span.instead)
            done = span.end
        return "".join((*pieces, text[done:])) if pieces else text

    def throughout(self, value: object) -> object:
        """``value`` with each text in it cleaned, however deep in lists and mappings it lies.

        Names of fields and members of an enumeration are the program's own and stay.
        """
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {name: self.throughout(each) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.throughout(each) for each in value]
        return value

    def _found(self, text: str) -> Iterator[_Span]:
        for reading, offsets in readings(text):
            for start, end, instead in _addresses(reading):
                yield _Span(offsets[start], offsets[end], instead)
            if self._known is None:
                continue
            for found in self._known.finditer(reading):
                yield _Span(offsets[found.start()], offsets[found.end()], REDACTED)
            begin = self._cut_off(reading)
            if begin is not None:
                yield _Span(offsets[begin], len(text), REDACTED)

    def _cut_off(self, text: str) -> int | None:
        """Where a secret begins in whose middle ``text`` was cut; no text of a page is cut before a name's length."""
        if len(text) < MAX_NAME:
            return None
        lower = text.lower()
        end = lower[-SHORTEST:]
        longest = 0
        for secret in self._secrets:
            at = secret.find(end)
            while at >= 0:
                length = at + SHORTEST
                if longest < length < len(secret) and lower.endswith(secret[:length]):
                    longest = length
                at = secret.find(end, at + 1)
        return max(0, len(text) - longest) if longest else None


def _forms(secrets: Iterable[str]) -> set[str]:
    """Also as a name or a dialog comes out of page_text: composed, and without what is not seen."""
    forms = {form for secret in secrets for form in (secret, page_text(secret, len(secret)))}
    return {form for form in forms if len(form) >= SHORTEST}


def _pattern(secret: str) -> str:
    """A number however its digits are grouped (``812 3456 7890``), anything else as it is."""
    digits = "".join(secret.split())
    if not re.fullmatch("[0-9]+", digits) or (digits == secret and len(digits) < _LONG_NUMBER):
        return re.escape(secret)
    return _BETWEEN_DIGITS.join(digits)


def _addresses(text: str) -> Iterator[_Span]:
    for found in _ADDRESS.finditer(text):
        if found[2]:
            yield _Span(*found.span(2), "")
        if found[4]:
            yield _Span(*found.span(4), "/…")
    for found in _BEARER.finditer(text):
        yield _Span(*found.span(1), REDACTED)


def _merged(spans: list[_Span]) -> Iterator[_Span]:
    """``spans`` in order, those that overlap as one; the first says what stands there instead."""
    spans.sort(key=lambda span: span[:2])
    merged: _Span | None = None
    for span in spans:
        if merged is None or span.start >= merged.end:
            if merged is not None:
                yield merged
            merged = span
        else:
            merged = merged._replace(end=max(merged.end, span.end))
    if merged is not None:
        yield merged
