"""Prometheus metrics of the HTTP API. Labels are bounded: operations of our own document, never a path or a name."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meeting_buddy.process.metrics import ProcessMetrics

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_CODES: Final = frozenset({0, *map(int, HTTPStatus)})
UNKNOWN: Final = "unknown"
"""Operation of a request that no route takes, and whose path is therefore not told."""


class Metrics(ProcessMetrics):
    """What the API's process counts."""

    def __init__(self) -> None:
        super().__init__("meetingbuddy_http_", _SECONDS)
        self._requests = self._counter("requests", "Answers, by operation and class of status", "operation", "status")
        self._seconds = self._histogram("request_seconds", "Seconds to the head of an answer", "operation")
        self._refused = self._counter("connections_refused", "Connections that were cut or refused", "reason")
        self._streams = self._gauge("streams", "Open streams, by operation", "operation")
        self._stream_ends = self._counter(
            "stream_ends", "Streams that ended, by operation and reason", "operation", "reason"
        )
        self._upstream = self._histogram(
            "upstream_seconds", "Seconds that another server took to answer", "upstream", "verb", "code"
        )

    def connections(self, count: Callable[[], float]) -> None:
        """Have open connections counted when they are asked for."""
        self._gauge("connections", "Open connections").set_function(count)

    def refused(self, reason: str) -> None:
        """A connection was cut or refused; ``reason`` is one of the server's own words."""
        self._refused.labels(reason).inc()

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """The head of an answer was sent."""
        self._requests.labels(operation, f"{status // 100}xx").inc()
        self._seconds.labels(operation).observe(seconds)

    def upstream(self, upstream: str, verb: str, code: int, seconds: float) -> None:
        """``kubernetes``, ``bot`` or ``reader`` answered; ``code`` 0: no answer came.

        Bots and readers are in tenants' namespaces, and may say any number: one that HTTP does not know is ``other``.
        """
        self._upstream.labels(upstream, verb, str(code) if code in _CODES else "other").observe(seconds)

    @contextmanager
    def stream(self, operation: str) -> Iterator[Callable[[str], None]]:
        """An open stream for the block; call what it gives with the reason of its end, one of a few fixed words.

        Without a reason it is ``fault``: of this server.
        """
        reason = "fault"

        def end(because: str) -> None:
            nonlocal reason
            reason = because

        gauge = self._streams.labels(operation)
        gauge.inc()
        try:
            yield end
        finally:
            gauge.dec()
            self._stream_ends.labels(operation, reason).inc()

    def counting(self, app: ASGIApp) -> ASGIApp:
        """``app`` with each answer counted."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            start = time.monotonic()

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self.answered(operation(scope), message["status"], time.monotonic() - start)
                await send(message)

            return await app(scope, receive, sending)

        return counted


def operation(scope: Scope) -> str:
    """Operation id of the route that took the request, or its name; the path itself is the caller's text."""
    route: Any = scope.get("route")
    found = getattr(route, "operation_id", None) or getattr(route, "name", None)
    return found if isinstance(found, str) else UNKNOWN
