"""TLS whose certificate follows its two files: Secret volumes swap a symlink when their Secret changes."""

import asyncio
import logging
import ssl
from abc import ABC, abstractmethod
from asyncio import sslproto
from pathlib import Path
from typing import Any, ClassVar, Final
from weakref import WeakKeyDictionary

READ_AGAIN: Final = 5.0
"""Seconds between two looks at the files; the kubelet itself needs up to a minute to change them."""

_READ_AT_ONCE: Final = 4 * 1024
"""Bytes; each connection keeps a copy of what it was given at once, though it is empty."""

_log = logging.getLogger(__name__)


class SeesTcp(ABC):
    """Mixed into a server's protocol: told of a TLS connection's TCP connection, so before the handshake, too.

    Asyncio itself tells a protocol nothing before the handshake is done, nor of one that fails.
    """

    @abstractmethod
    def tcp_made(self) -> bool:
        """It was accepted; whether it may stay."""

    @abstractmethod
    def tcp_lost(self) -> None:
        """It is gone."""


class _TlsConnection(sslproto.SSLProtocol):
    """A TLS connection of asyncio that reads into the buffer of its loop: each has 256 KiB of its own otherwise.

    That is safe because a selector's transport asks for the buffer, fills it, and has it emptied in one go. It holds
    what is still encrypted. A protocol that is a :class:`SeesTcp` is told of the TCP connection.
    """

    max_size = _READ_AT_ONCE
    _of_loops: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview]] = WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop, *rest: Any, **more: Any) -> None:
        super().__init__(loop, *rest, **more)
        own = getattr(self, "_ssl_buffer", None)
        if own is not None:
            self._ssl_buffer_view = self._of_loops.setdefault(loop, memoryview(own))
            self._ssl_buffer = self._ssl_buffer_view.obj

    def connection_made(self, transport: Any) -> None:
        """Begin the handshake, unless there are too many connections."""
        carried = getattr(self, "_app_protocol", None)
        if isinstance(carried, SeesTcp) and not carried.tcp_made():
            transport.abort()
        else:
            super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The TCP connection is gone, whatever became of TLS."""
        carried = getattr(self, "_app_protocol", None)  # asyncio forgets it
        super().connection_lost(exc)
        if isinstance(carried, SeesTcp):
            carried.tcp_lost()


def share_buffers() -> None:
    """Have the TLS connections of the whole process, those to the API server too, read into one buffer.

    These are names that asyncio does not document; where they are gone, each connection has its own buffer
    again, and none is counted before its handshake is done.
    """
    sslproto.SSLProtocol = _TlsConnection  # type: ignore[misc]


class Certificate:
    """A certificate and its key, PEM files. New connections get the newest pair that was whole.

    Raises:
        OSError: the pair is unreadable or does not fit together (also ``ssl.SSLError``).
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._seen = self._state()
        """Of the files, before the current pair was read: what changes meanwhile is read once more."""
        self._failed: tuple[object, str] | None = None
        """State and error of the last try that failed, which is made again."""
        self._current = self._load()
        self.context = self._load()
        """To listen with. Each handshake moves on to the current pair's context, so that none sees half a change."""
        self.context.sni_callback = self._choose

    async def follow(self, every: float = READ_AGAIN) -> None:
        """Read the files again when they change, and until they can be read; until cancelled."""
        while True:
            await asyncio.sleep(every)
            self._read_again()

    def _read_again(self) -> None:
        state = self._state()
        if state == self._seen:
            return
        about = {"certificate": str(self._certificate)}
        try:
            self._current = self._load()
        except (OSError, ValueError) as error:
            failed = (state, str(error))
            if failed != self._failed:
                _log.error("the new TLS certificate is wrong; the old one stays", extra=about | {"error": str(error)})
            self._failed = failed
        else:
            self._seen, self._failed = state, None
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
