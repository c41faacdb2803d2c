"""Takes a watch's events from its lines, and leaves kopf a bookmark in their place.

kopf logs in, opens watches, and opens them again from the version that it saw last. An event's way through its workers,
causes and handlers would cost as much as all that the operator decides about it, so events go from here to the cache.
What this process wrote itself is not even read as JSON: of a session's thirteen events eight repeat what the answer to
a write has said.

Bookmarks, errors and what makes no sense go on to kopf as they came: it knows when to begin anew.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Final

import orjson

Expected = Callable[[str], str | None]
"""Uid of the object that this process wrote in a version, if it did."""
Take = Callable[[str, dict[str, Any]], None]
"""Told of each event: its type and the object."""

# The first one of a line is the object's own, or an annotation of this name. Inside of a text its quotes would be
# escaped.
_VERSION: Final = re.compile(rb'"resourceVersion":"([^"\\]+)"')
_WRITTEN: Final = (b'{"type":"ADDED"', b'{"type":"MODIFIED"')
_EVENTS: Final = ("ADDED", "MODIFIED", "DELETED")


async def without_events(parts: AsyncIterator[bytes], expected: Expected, take: Take) -> AsyncIterator[bytes]:
    """What kopf has to read of a watch: whole lines.

    Args:
        parts: the watch as it arrives, cut anywhere.
        expected: asked with the version of each object that was added or modified; nobody has to be told of what this
            process wrote.
        take: told of each other event, in order.
    """
    rest = b""
    async for part in parts:
        end = part.rfind(b"\n") + 1
        if not end:
            rest += part
            continue
        lines = (rest + part[:end]).splitlines(keepends=True)
        rest = part[end:]
        yield b"".join(_lines_for_kopf(lines, expected, take))
    if rest.endswith(b"}"):  # a line without its end
        yield b"".join(_lines_for_kopf((rest,), expected, take))
    elif rest:
        yield rest


def _lines_for_kopf(lines: Iterable[bytes], expected: Expected, take: Take) -> Iterator[bytes]:
    version = None
    for line in lines:
        version = _handled(line, expected, take)
        if version is None:
            yield line
    if version is not None:
        bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}
        yield orjson.dumps(bookmark) + b"\n"


def _handled(line: bytes, expected: Expected, take: Take) -> str | None:
    """Version of the object whose event this line is, once it is taken; ``None``: it is none."""
    if (version := _echoed(line, expected)) is not None:
        return version
    try:
        event = orjson.loads(line)
        kind, document, version = event["type"], event["object"], event["object"]["metadata"]["resourceVersion"]
    except (ValueError, KeyError, TypeError):
        return None
    if kind not in _EVENTS or not (isinstance(version, str) and version):
        return None
    take(kind, document)
    return version


def _echoed(line: bytes, expected: Expected) -> str | None:
    found = _VERSION.search(line) if line.startswith(_WRITTEN) else None
    if found is None:
        return None
    version = found[1].decode(errors="replace")
    uid = expected(version)
    return version if uid is not None and f'"uid":"{uid}"'.encode() in line else None
