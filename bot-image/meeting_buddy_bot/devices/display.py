"""The X display on which Chromium draws and from which the recorder grabs: one Xvfb.

No access control inside the pod: the socket lies in an emptyDir that only the pod's two containers mount, and Xvfb does
not listen on TCP. A cookie would have to be handed to the browser, which is the one party it could guard against.
"""

import asyncio
import contextlib
import struct
from pathlib import Path
from typing import Final

from meeting_buddy_bot.devices.device import Device

# X11's own places; in the pod both are volumes of its own.
_SOCKETS: Final = Path("/tmp/.X11-unix")  # noqa: S108
_LOCKS: Final = Path("/tmp")  # noqa: S108
_HELLO: Final = struct.pack("<BxHHHHxx", ord("l"), 11, 0, 0, 0)
"""X11 connection setup, little-endian, protocol 11.0, without authorisation."""


class Display(Device):
    """Xvfb with one screen of ``size`` and 24 bit."""

    name = "Xvfb"

    def __init__(self, size: tuple[int, int] = (1280, 720), number: int = 99) -> None:
        super().__init__()
        self.size = size
        self.number = number

    @property
    def address(self) -> str:
        """What goes into ``DISPLAY``."""
        return f":{self.number}"

    @property
    def _socket(self) -> Path:
        return _SOCKETS / f"X{self.number}"

    def _argv(self) -> list[str]:
        width, height = self.size
        # fmt: off
        return [
            "Xvfb", self.address,
            "-screen", "0", f"{width}x{height}x24",
            "-nolisten", "tcp",
            "-noreset",  # or it would start afresh, and forget its settings, whenever the browser was its last client
            "-s", "0",   # no screen saver: it would blank the picture after ten minutes without a key press
        ]
        # fmt: on

    def _prepare(self) -> None:
        # Xvfb clears a dead process's lock by itself, but only where it may read that process's pid as dead: in a pod
        # the number is soon reused, by another program. The display is ours alone, so what lies there is a leftover.
        for leftover in (self._socket, _LOCKS / f".X{self.number}-lock"):
            with contextlib.suppress(OSError):
                leftover.unlink()

    async def responds(self) -> bool:
        """Greet the X server: only one that says yes can be drawn on and grabbed from."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        try:
            writer.write(_HELLO)
            async with asyncio.timeout(2):
                return await reader.readexactly(1) == b"\x01"
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False
        finally:
            writer.close()
