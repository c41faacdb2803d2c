"""Ranges and conditions of a request, as RFC 9110 has them (§13 and §14), for one representation with a strong ETag."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

from aiohttp import ETag, hdrs, web

_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII | re.IGNORECASE)
_ANY: Final = "*"


class Span(NamedTuple):
    """A stretch of a file."""

    first: int
    length: int


class UnsatisfiableError(Exception):
    """The range begins behind the file's end: 416."""


def wanted(request: web.Request, etag: str | None, size: int) -> Span | None:
    """The one range that is asked for; ``None``: the whole file is to be sent.

    The whole is sent, too, for what RFC 9110 lets a server ignore: several ranges, other units, what is no range; and
    where ``If-Range`` names another state of the file, or a file that still grows.

    Args:
        request: with ``Range`` and ``If-Range``.
        etag: without its quotes; ``None``: it has none.
        size: bytes of the file.

    Raises:
        UnsatisfiableError: nothing of the file lies in the range.
    """
    given = request.headers.getall(hdrs.RANGE, [])
    if request.method != hdrs.METH_GET or len(given) != 1 or not _same_state(request, etag):
        return None
    return _span(given[0].strip(), size)


def precondition(request: web.Request, etag: str | None) -> HTTPStatus | None:
    """304 or 412 where ``If-None-Match`` or ``If-Match`` asks for it; ``None``: go on.

    Args:
        request: with these headers.
        etag: as in :func:`wanted`.
    """
    match, none_match = request.headers.get(hdrs.IF_MATCH), request.headers.get(hdrs.IF_NONE_MATCH)
    if match is not None and not _names(match, request.if_match, etag, weak=False):
        return HTTPStatus.PRECONDITION_FAILED
    if none_match is not None and _names(none_match, request.if_none_match, etag, weak=True):
        return HTTPStatus.NOT_MODIFIED
    return None


def _span(text: str, size: int) -> Span | None:
    found = _RANGE.fullmatch(text)
    if found is None or found[0].endswith("=-"):
        return None
    if not found[1]:
        if int(found[2]) == 0:
            raise UnsatisfiableError
        length = min(int(found[2]), size)
        return Span(size - length, length) if length else None  # an empty file has an end, but no range
    first = int(found[1])
    if found[2] and int(found[2]) < first:
        return None
    if first >= size:
        raise UnsatisfiableError
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    return Span(first, last - first + 1)


def _same_state(request: web.Request, etag: str | None) -> bool:
    given = request.headers.getall(hdrs.IF_RANGE, [])
    return not given or (etag is not None and [each.strip() for each in given] == [f'"{etag}"'])


def _names(header: str, given: Sequence[ETag] | None, etag: str | None, *, weak: bool) -> bool:
    if header.strip() == _ANY:  # aiohttp's ETag is the same for one that is spelt "*"
        return True
    return any(each.value == etag and (weak or not each.is_weak) for each in given or ())
