"""Chromium's program, and what it says when it may not make its sandbox."""

import re
from typing import Final

BINARY: Final = "/usr/lib/chromium/chromium"
"""Debian's program itself, not its start script: that one adds switches of the machine's administrator."""

SANDBOX_REFUSED: Final = "meetingbuddy:sandboxRefused"
"""Field of ``/status`` by which container ``browser`` says, in chromedriver's place, why there is no chromedriver."""

_SANDBOX: Final = re.compile(r"No usable sandbox|Failed to move to new namespace|[Nn]amespace.*Operation not permitted")
_PREFIX: Final = re.compile(r"^\s*\[[^\]]*\]\s*")  # process, time, level and source line of a log line


def sandbox_fault(text: str) -> str | None:
    """The sentence of Chromium's or chromedriver's words ``text`` that speaks of a sandbox that cannot be made."""
    for line in text.splitlines():
        if _SANDBOX.search(line):
            # The first sentence is the fault; those that follow are advice for desktops, "--no-sandbox" among it.
            return re.split(r"(?<=[!.])\s", _PREFIX.sub("", line), maxsplit=1)[0].strip()
    return None
