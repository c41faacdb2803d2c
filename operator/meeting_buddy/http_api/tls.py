"""TLS whose certificate follows its two files: Secret volumes swap a symlink when their Secret changes."""

import asyncio
import logging
import ssl
from asyncio import sslproto
from pathlib import Path
from typing import Final

READ_AGAIN: Final = 5.0
"""Seconds between two looks at the files; the kubelet itself needs up to a minute to change them."""

_READ_BUFFER: Final = 16 * 1024
"""Bytes of one TLS record."""

_log = logging.getLogger(__name__)


def use_small_buffers() -> None:
    """Have asyncio's TLS connections, of the whole process, hold 16 KiB to read into instead of 256 KiB each.

    Measured with Python 3.11: 31 KB per idle connection instead of 272 KB. It is an attribute that asyncio does not
    document; where it is gone, nothing changes.
    """
    if hasattr(sslproto.SSLProtocol, "max_size"):
        sslproto.SSLProtocol.max_size = _READ_BUFFER


class Certificate:
    """A certificate and its key, PEM files. New connections get the newest pair that was whole.

    Raises:
        OSError: the pair is unreadable or does not fit together (also ``ssl.SSLError``).
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._seen = self._state()
        self._current = self._load()
        self.context = self._load()
        """To listen with. Each handshake moves on to the current pair's context, so that none sees half a change."""
        self.context.sni_callback = self._choose

    async def follow(self, every: float = READ_AGAIN) -> None:
        """Read the files again when they change, until cancelled."""
        while True:
            await asyncio.sleep(every)
            self._read_again()

    def _read_again(self) -> None:
        state = self._state()
        if state == self._seen:
            return
        self._seen = state  # before reading: files that change meanwhile are read once more
        about = {"certificate": str(self._certificate)}
        try:
            self._current = self._load()
        except (OSError, ValueError) as error:
            _log.error("the new TLS certificate is wrong; the old one stays", extra=about | {"error": str(error)})
        else:
            _log.info("the TLS certificate was read again", extra=about)

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Changes when a file changes, or a symlink on the way to it."""
        return tuple(map(_stat, (self._certificate, self._key)))

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._certificate, self._key)
        return context

    def _choose(self, connection: ssl.SSLObject, _name: str, _context: ssl.SSLContext) -> None:
        """Called in each handshake, whether the client names a server or not."""
        connection.context = self._current


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
