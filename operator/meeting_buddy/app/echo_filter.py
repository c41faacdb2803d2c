"""Leaves out of a watch what this process has written itself, before kopf reads it.

Every write is repeated by the watch of its kind: of a session's thirteen events eight say what the write's own answer
said. To read such a line as JSON, and to take it through kopf, costs more than the write. A watch that is opened again
goes on from the last version that kopf saw, and may repeat what was left out; it is known then too.
"""

import re
from collections.abc import AsyncIterator, Callable
from typing import Final

# The first one of a line is the object's own. Inside of a text its quotes would be escaped; an annotation of this name
# is compared with versions that are expected, each once.
_VERSION: Final = re.compile(rb'"resourceVersion":"([^"\\]+)"')
_LEFT_OUT: Final = (b'{"type":"ADDED"', b'{"type":"MODIFIED"')


async def without_echoes(parts: AsyncIterator[bytes], is_echo: Callable[[str], bool]) -> AsyncIterator[bytes]:
    """Whole lines of a watch, but for the events of objects that were added or modified in an expected version.

    Args:
        parts: the watch as it arrives, cut anywhere.
        is_echo: asked with each such object's resourceVersion.
    """
    rest = bytearray()
    async for part in parts:
        rest += part
        end = rest.rfind(b"\n") + 1
        if not end:
            continue
        lines = bytes(rest[:end]).splitlines(keepends=True)
        del rest[:end]
        kept = [line for line in lines if not (line.startswith(_LEFT_OUT) and is_echo(_version(line)))]
        if kept:
            yield b"".join(kept)
    if rest:
        yield bytes(rest)


def _version(line: bytes) -> str:
    found = _VERSION.search(line)
    return found[1].decode() if found is not None else ""
