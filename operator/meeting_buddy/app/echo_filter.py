"""Leaves out of a watch what this process has written itself, before kopf reads it.

Every write is repeated by the watch of its kind: of a session's thirteen events eight say what the write's own answer
said. To read such a line as JSON, and to take it through kopf, costs more than the write. A watch that is opened again
goes on from the last version that kopf saw, and may repeat what was left out; it is known then too.
"""

import re
from collections.abc import AsyncIterator, Callable
from typing import Final

# The first one of a line is the object's own, or an annotation of this name. Inside of a text its quotes would be
# escaped.
_VERSION: Final = re.compile(rb'"resourceVersion":"([^"\\]+)"')
_LEFT_OUT: Final = (b'{"type":"ADDED"', b'{"type":"MODIFIED"')


async def without_echoes(parts: AsyncIterator[bytes], expected: Callable[[str], str | None]) -> AsyncIterator[bytes]:
    """Whole lines of a watch, but for the events of objects that were added or modified in an expected version.

    Args:
        parts: the watch as it arrives, cut anywhere.
        expected: asked with each such object's resourceVersion: the uid of the object that was written so.
    """
    rest = bytearray()
    async for part in parts:
        rest += part
        end = rest.rfind(b"\n") + 1
        if not end:
            continue
        lines = bytes(rest[:end]).splitlines(keepends=True)
        del rest[:end]
        kept = [line for line in lines if not (line.startswith(_LEFT_OUT) and _is_echo(line, expected))]
        if kept:
            yield b"".join(kept)
    if rest:
        yield bytes(rest)


def _is_echo(line: bytes, expected: Callable[[str], str | None]) -> bool:
    version = _VERSION.search(line)
    uid = expected(version[1].decode(errors="replace")) if version is not None else None
    return uid is not None and f'"uid":"{uid}"'.encode() in line
