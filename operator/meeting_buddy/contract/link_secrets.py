"""Which parts of a meeting's link are secrets: whatever they look like, all that the platform's rules do not except."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote, unquote_plus

from meeting_buddy.contract.links import LinkRules
from meeting_buddy.contract.text import WITHOUT_BLANKS

SHORTEST: Final = 4
"""Shorter parts (``/j/``, ``a=1``) would redact ordinary words and guard nothing."""
_LONG: Final = 16
"""A piece of a path that is so long is a key, although it has no digit."""
_DEPTH: Final = 3
"""Links that carry links in their query."""
UNKNOWN_PLATFORM: Final = LinkRules((), (), "")
"""Rules by which nothing of a link is public."""
_WORD: Final = re.compile(rf"[^\W\d_{WITHOUT_BLANKS}]+")
_AUTHORITY: Final = re.compile(r"[a-z]+://(?:[^/?#@]*@)?([^/?#]*)", re.IGNORECASE)

_Part = tuple[str, bool]
"""A part of a link, and whether it is a piece of a path."""


class LinkSecrets(NamedTuple):
    """The parts of a link that nobody else may read, as they stand in it and decoded."""

    anywhere: frozenset[str]
    """To be replaced wherever they stand."""
    words: frozenset[str]
    """Short pieces of a path that are one word, such as a person's name: other words and names contain them."""


def link_secrets(link: str, rules: LinkRules = UNKNOWN_PLATFORM) -> LinkSecrets:
    """The secrets of ``link``: never its host or one of the platform, nor in its path a label of its host.

    Args:
        link: any text; of one that is no link, everything after its host is a secret.
        rules: of its platform, whose public parameters and words are left out.
    """
    authority = _AUTHORITY.match(link)
    rest = link[authority.end() :] if authority else link
    address = authority[1].lower() if authority else ""
    host = address.partition(":")[0]
    public, labels = {address, host}, set(host.split("."))
    anywhere, words = set[str](), set[str]()
    for part, in_path in ((rest, True), (rest.removeprefix("/"), True), *_of_address(rest, rules, _DEPTH)):
        for form in (part, unquote(part), unquote_plus(part), _decoded(part)):
            known = form.lower()
            if known in public or rules.owns(known) or (in_path and known in labels):
                continue
            (words if in_path and len(form) < _LONG and _WORD.fullmatch(form) else anywhere).add(form)
    return LinkSecrets(frozenset(anywhere), frozenset(words - anywhere))


def _of_address(address: str, rules: LinkRules, depth: int) -> Iterator[_Part]:
    if not depth:
        return
    path, _, fragment = address.partition("#")
    path, _, query = path.partition("?")
    yield from _of_path(path, rules)
    for parameter in filter(None, query.split("&")):
        name, equals, value = parameter.partition("=")
        if not equals:
            yield name, False
        elif name.lower() not in rules.public_parameters:
            yield from _of_value(value, rules, depth)
    if fragment.lower() not in rules.public_words:
        yield from _of_value(fragment, rules, depth)


def _of_path(path: str, rules: LinkRules) -> Iterator[_Part]:
    pieces = [piece for piece in path.split("/") if len(piece) >= SHORTEST]
    last = pieces[-1:]
    for piece in dict.fromkeys([*(piece for piece in pieces if _is_key(piece)), *last]):
        if piece.lower() not in rules.public_words:
            yield piece, True


def _of_value(value: str, rules: LinkRules, depth: int) -> Iterator[_Part]:
    yield value, False
    meaning = _decoded(value)
    # A value may be a document (Teams: context), whose parts a page shows one by one.
    yield from ((piece, False) for piece in re.findall(r"[\w.~@:-]+", meaning) if _is_key(piece))
    if re.search(r"[/?&=#]", meaning):
        yield from _of_address(meaning, rules, depth - 1)
    yield from _of_base64(meaning, rules, depth)


def _of_base64(value: str, rules: LinkRules, depth: int) -> Iterator[_Part]:
    try:
        document = json.loads(base64.b64decode(value.replace("-", "+").replace("_", "/") + "=="))
    except (binascii.Error, ValueError, RecursionError):
        return
    if isinstance(document, dict):  # Teams: coords holds meeting code and passcode
        for each in document.values():
            yield from _of_value(str(each), rules, depth)


def _is_key(piece: str) -> bool:
    return len(piece) >= _LONG or any(letter.isdigit() for letter in piece)


def _decoded(text: str) -> str:
    for _ in range(_DEPTH):
        text = unquote(text)
    return text
