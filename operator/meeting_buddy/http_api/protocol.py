"""uvicorn's HTTP/1.1 protocol with deadlines and sizes, which it lacks (uvicorn#157), and without its logs.

Middleware comes too late for this: an application is called when a head is complete. httptools' own parser refuses
what smuggles (two lengths, a length and chunks, a blank before the colon, bare line feeds); a missing or second
``Host`` is refused here. Two ``Authorization`` headers reach the application as two, which has to refuse them.
"""

import asyncio
import contextlib
import fcntl
import json
import sys
import termios
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from meeting_buddy.http_api.limits import Limits
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.streams import SLOW
from meeting_buddy.http_api.tls import SeesTcp

_SERVICE_UNAVAILABLE: Final = HTTPStatus.SERVICE_UNAVAILABLE
_GOODBYE: Final = 2.0
"""Seconds for a client's ``close_notify``, and for the last acknowledgement, when it was sent everything."""
_BLANK: Final = b"\r\n"
_DETAILS: Final = {
    "head_timeout": "the request's head did not arrive in time",
    "body_timeout": "the request's body did not arrive in time",
    "head_size": "the request's head is too large, or has too many header fields",
    "url_size": "path and query are too long",
    "body_size": "the request's body is too large",
    "host": "the request needs exactly one Host header",
    "malformed": "this is not a well-formed HTTP request",
    "pipelining": "too many requests wait on this connection",
    "connections": "this server has too many connections",
}
_KINDS: Final = {
    HTTPStatus.BAD_REQUEST: "bad-request",
    HTTPStatus.REQUEST_TIMEOUT: "request-timeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-large",
    HTTPStatus.REQUEST_URI_TOO_LONG: "query-too-long",
}
"""Types of problems; 431, and 503 for too many connections, have none: no operation answers so."""


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration, with what our protocol needs."""

    limits: Limits
    on_refused: Callable[[str], None]
    """Told why a connection was cut or refused, in one of the words of :class:`LimitedProtocol`."""
    below_tls: set["LimitedProtocol"]
    """Those of TLS whose TCP connection is open, in the handshake too; uvicorn's own set has the others."""


class _RefusedError(Exception):
    """Raised inside a parser's callback, which ends the parsing."""


class _Transport:
    """A connection's transport that tells when it is closed, and is closed once.

    Asyncio's transport of TLS cannot be asked or aborted any more after a second ``close()``.
    """

    def __init__(self, transport: asyncio.Transport, on_close: Callable[[], None]) -> None:
        self._transport = transport
        self._on_close: Callable[[], None] | None = on_close

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def close(self) -> None:
        """Write out the buffer, then close."""
        if not self._transport.is_closing():
            self._transport.close()
            if self._on_close is not None:
                self._on_close()

    def lost(self) -> None:
        """The connection is gone: nobody is told any more, nor held."""
        self._on_close = None


class LimitedProtocol(HttpToolsProtocol, SeesTcp):
    """One connection. It is refused, and closed, for ``head_timeout``, ``body_timeout``, ``send_timeout``,
    ``head_size``, ``url_size``, ``body_size``, ``host``, ``malformed``, ``pipelining`` or ``connections``.
    """

    def __init__(self, config: ServerConfig, *rest: Any, **more: Any) -> None:
        super().__init__(config, *rest, **more)
        self._limits = config.limits
        self._on_refused = config.on_refused
        self._below_tls = config.below_tls
        self._deadline: asyncio.TimerHandle | None = None
        self._send_deadline: asyncio.TimerHandle | None = None
        self._abort: asyncio.TimerHandle | None = None
        self._unanswered: list[RequestResponseCycle] = []
        """The request under way, and those that wait behind it; uvicorn itself knows the newest alone."""
        self._in_head = False
        self._in_body = False
        self._fed = 0
        """Bytes that came for a head or a body that is not complete."""
        self._fields = 0
        """Bytes of the URL and of the header fields that are complete."""
        self._refusal = (HTTPStatus.BAD_REQUEST, "malformed")
        """What is answered when the parser stops."""

    # Connection

    def tcp_made(self) -> bool:
        """Cut it when there are far too many: those that never come to speak HTTP cost something, too."""
        if len(self._below_tls) >= self._limits.connections + self._limits.handshakes:
            self._on_refused("connections")
            return False
        self._below_tls.add(self)
        return True

    def tcp_lost(self) -> None:
        """One less."""
        self._below_tls.discard(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse it when there are too many, else wait for a head."""
        super().connection_made(_Transport(transport, self._abort_when_stuck))  # type: ignore[arg-type]
        if len(self.connections) > self._limits.connections:
            self._refuse(_SERVICE_UNAVAILABLE, "connections")
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application, and forget all timers."""
        self._disconnect()
        self.transport.lost()  # type: ignore[attr-defined]
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        for timer in (self._deadline, self._send_deadline, self._abort):
            if timer is not None:
                timer.cancel()

    def eof_received(self) -> None:
        """The client sends no more: asyncio closes the transport next."""
        self._abort_when_stuck()

    # Reading

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless the connection is being closed."""
        if self.transport.is_closing():
            return
        self._fed += len(data)
        if self._in_head or self._in_body or data.strip(_BLANK):  # empty lines between requests begin none
            self._unset_keepalive_if_required()
            if self._deadline is None:
                self._await_head()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.cycle.keep_alive = False  # answered as if it had not asked; what follows would be another protocol
        except httptools.HttpParserError:
            self._refuse(*self._refusal)
        else:
            self._check_size()

    def _check_size(self) -> None:
        """What is not complete is kept by the parser, a long header field or trailer for example."""
        if self._in_body and self._fed > self._limits.body_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_size")
        elif not self._in_body and self._fed > self._limits.head_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_size")

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._in_head, self._fields = True, 0
        if self._deadline is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        super().on_url(url)
        if len(self.url) > self._limits.url_bytes:
            self._stop(HTTPStatus.REQUEST_URI_TOO_LONG, "url_size")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field, or one of the trailer behind a chunked body, which is dropped."""
        self._fields += len(name) + len(value) + len(b": \r\n")
        too_many = len(self.headers) >= self._limits.headers
        if too_many or self._fields + len(self.url) > self._limits.head_bytes:
            self._stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_size")
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The application is called."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() != "1.0"):
            self._stop(HTTPStatus.BAD_REQUEST, "host")
        if len(self.pipeline) >= self._limits.pipelined:
            self._stop(HTTPStatus.BAD_REQUEST, "pipelining")
        self._in_head, self._fed = False, 0
        self._set_deadline(self._limits.body_seconds, "body_timeout")
        super().on_headers_complete()  # raises for a target that is none
        self._in_body = True
        self._unanswered = [each for each in (*self._unanswered, self.cycle) if not each.response_complete]
        self.flow.resume_reading()  # paused behind another request, when a client that goes would not be noticed

    def on_message_complete(self) -> None:
        """A request was read."""
        super().on_message_complete()
        self._in_body, self._fed = False, 0
        self._clear_deadline()
        if self.cycle.response_complete and not self.transport.is_closing():  # answered before it was read
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    # Writing

    def pause_writing(self) -> None:
        """The client does not read as fast as we write."""
        super().pause_writing()
        self._await_progress(self._unread())

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if self._send_deadline is not None:
            self._send_deadline.cancel()
            self._send_deadline = None

    def _await_progress(self, waiting: int) -> None:
        self._send_deadline = self.loop.call_later(self._limits.send_seconds, self._check_progress, waiting)

    def _check_progress(self, before: int) -> None:
        waiting = self._unread()
        if waiting != before:  # more: what TLS held back went on to the kernel
            self._await_progress(waiting)
        else:
            self._on_refused("send_timeout")
            for cycle in self._unanswered:
                cycle.scope["state"][SLOW] = True
            self.transport.abort()

    def _unread(self) -> int:
        """Bytes that the client has not acknowledged: those the kernel holds, and our own.

        With TLS, what is encrypted is held by the transport below, which asyncio gives no documented name.
        """
        kernel = bytearray(4)
        with contextlib.suppress(OSError, AttributeError):  # of one that is gone since
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, kernel)
        below = getattr(getattr(self.transport, "_ssl_protocol", None), "_transport", None)
        encrypted = below.get_write_buffer_size() if below is not None else 0
        return self.transport.get_write_buffer_size() + encrypted + int.from_bytes(kernel, sys.byteorder)

    # Refusing

    def _await_head(self) -> None:
        self._set_deadline(self._limits.head_seconds, "head_timeout")

    def _set_deadline(self, seconds: float, reason: str) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(seconds, self._refuse, HTTPStatus.REQUEST_TIMEOUT, reason)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop(self, status: HTTPStatus, reason: str) -> None:
        """End the parsing from inside one of its callbacks; :meth:`data_received` answers."""
        self._refusal = (status, reason)
        raise _RefusedError

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer when nothing else is being answered, and close."""
        self._clear_deadline()
        if self.transport.is_closing():
            return
        self._on_refused(reason)
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete
        silent = self._fed == 0 and reason == "head_timeout"  # nobody asked anything
        answered = self._in_body and not under_way  # before its body was read
        others = self.pipeline or (under_way and (cycle.response_started or not self._in_body))
        if not (silent or answered or others):
            self.transport.write(_answer(status, reason))
        self._disconnect()  # or the application's answer would follow ours
        self.transport.close()

    def _disconnect(self) -> None:
        for cycle in self._unanswered:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def _abort_when_stuck(self) -> None:
        """A transport that is closing writes out its buffer first, which a client can prevent by not reading."""
        if self._abort is None:
            seconds = min(self._limits.send_seconds, _GOODBYE)
            self._abort = self.loop.call_later(seconds, self._abort_without_progress, -1)

    def _abort_without_progress(self, before: int) -> None:
        waiting = self._unread()
        if waiting in (0, before):
            self.transport.abort()
        else:
            self._abort = self.loop.call_later(self._limits.send_seconds, self._abort_without_progress, waiting)


def _answer(status: HTTPStatus, reason: str) -> bytes:
    problem = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": _DETAILS[reason]}
    if status in _KINDS:
        problem = ProblemError(_KINDS[status], _DETAILS[reason]).document()
    body = json.dumps(problem).encode()
    retry = "retry-after: 5\r\n" if status is _SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\n{retry}connection: close\r\n\r\n"
    )
    return head.encode() + body
