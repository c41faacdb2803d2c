"""Serves the application until the process is told to end: listening, TLS, health pages, a graceful end."""

import asyncio
import logging
import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from meeting_buddy.http_api.limits import Limits
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.protocol import LimitedProtocol, ServerConfig
from meeting_buddy.http_api.request_log import logging_requests
from meeting_buddy.http_api.settings import Settings
from meeting_buddy.http_api.tls import READ_AGAIN, Certificate, share_buffers
from meeting_buddy.process import health

_LOST_PEER: Final = 30_000
"""Milliseconds until the kernel gives up a connection whose peer acknowledges nothing (TCP_USER_TIMEOUT)."""
_SEND_BUFFER: Final = 256 * 1024
"""Bytes that the kernel holds for a client that does not read; by itself it takes up to 4 MB for each."""
_TLS_SHUTDOWN: Final = 3600.0
"""Seconds from the closing of a TLS connection to its end, however fast the client reads what was written before;
one that does not read is cut by :class:`LimitedProtocol` long before."""

_log = logging.getLogger(__name__)


async def serve(
    app: ASGIApp,
    settings: Settings,
    ending: asyncio.Event,
    *,
    metrics: Metrics | None = None,
    not_ready: Callable[[], str | None] = lambda: None,
    limits: Limits | None = None,
    read_again: float = READ_AGAIN,
    gone_after: float | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT, or until somebody sets ``ending``, which both signals set.

    Streams watch ``ending``, tell their clients and return; the listening socket closes at the same time. What goes
    on after ``limits.graceful_seconds`` is cancelled.

    Args:
        app: the ASGI application, whose requests are counted and logged; it is not told of the process' start and end
            (no lifespan).
        settings: where to listen, and the TLS files.
        ending: set when the process is told to end.
        metrics: counts answers and refused connections.
        not_ready: why ``/readyz`` says no; None: ready.
        limits: of each connection.
        read_again: seconds between two looks at the TLS files.
        gone_after: seconds from ``ending`` until the process is killed, with status 1, should anything in it hold on;
            ``None``: never.

    Raises:
        OSError: a port is taken, or a TLS file is unreadable.
    """
    metrics = metrics or Metrics()
    limits = limits or Limits()
    share_buffers()
    certificate = _certificate(settings)
    server = _Server(_config(logging_requests(metrics.counting(app)), limits, metrics.refused), settings, certificate)
    metrics.connections(lambda: len(server.server_state.connections))

    def why_not_ready() -> str | None:
        if ending.is_set():
            return "ending"
        return not_ready() if server.started else "starting"

    asyncio.get_running_loop().set_exception_handler(_log_without_words)
    with _signals_set(ending):
        async with health.serving(settings.host, settings.health_port, why_not_ready, metrics.page):
            helpers = [asyncio.create_task(server.exit_after(ending, gone_after), name="ending")]
            if certificate is not None:
                helpers.append(asyncio.create_task(certificate.follow(read_again), name="certificate"))
            try:
                await server.serve()
            finally:
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)


class _Server(uvicorn.Server):
    """uvicorn's server with our way to listen and to be ended."""

    def __init__(self, config: ServerConfig, settings: Settings, certificate: Certificate | None) -> None:
        super().__init__(config)
        self._config = config
        self._settings = settings
        self._certificate = certificate

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again when it is done, and the exit status would be theirs."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; asyncio gives a TLS handshake a minute and a closing connection half of that."""
        loop, settings, options = asyncio.get_running_loop(), self._settings, dict[str, Any]()
        if self._certificate is not None:
            options = {
                "ssl": self._certificate.context,
                "ssl_handshake_timeout": self._config.limits.head_seconds,
                "ssl_shutdown_timeout": _TLS_SHUTDOWN,
            }
        if settings.host is None:
            options |= {"sock": health.every_address(settings.port)}
        else:
            options |= {"host": settings.host, "port": settings.port}
        listening = await loop.create_server(self._protocol, backlog=self.config.backlog, **options)
        for each in listening.sockets:  # connections inherit both
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _LOST_PEER)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.servers = [listening]
        self.started = True
        about = {"port": settings.port, "tls": self._certificate is not None, "health_port": settings.health_port}
        _log.info("serving", extra=about)

    async def exit_after(self, ending: asyncio.Event, gone_after: float | None) -> None:
        """Begin to close when ``ending`` is set."""
        await ending.wait()
        if gone_after is not None:
            killer = threading.Timer(gone_after, _kill)
            killer.daemon = True  # or the process would wait for it
            killer.start()
        _log.info("ending", extra={"connections": len(self.server_state.connections)})
        for listening in getattr(self, "servers", ()):
            listening.close()
        self.should_exit = True

    def _protocol(self) -> asyncio.Protocol:
        return LimitedProtocol(self._config, self.server_state, self.lifespan.state)


def _kill() -> None:
    _log.error("something did not end in time; the process is killed")
    os._exit(1)


def _config(app: ASGIApp, limits: Limits, on_refused: Callable[[str], None]) -> ServerConfig:
    config = ServerConfig(
        app,
        http=LimitedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.graceful_seconds,
    )
    config.limits, config.on_refused, config.below_tls = limits, on_refused, set()
    # Its news are ours already; below this it logs whole messages with their headers.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_WITHOUT_WORDS)
    return config


_ORDINARY: Final = frozenset(
    {
        "ASGI callable returned without completing response.",
        "Cancel %s running task(s), timeout graceful shutdown exceeded",
    }
)
"""What uvicorn says of downloads that were cut, and of answers that were cancelled because the process ends; the
request's own line and a metric have the cause."""


class _WithoutWords(logging.Filter):
    """Takes from what an application raised its words, which may quote a caller's: class and places are left."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop what is no fault: an answer that was cancelled because the process ends, a download that was cut."""
        if record.msg in _ORDINARY:
            return False
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return True
        record.exc_info = None
        vars(record).update(_class_and_places(error))
        return not isinstance(error, asyncio.CancelledError)


_WITHOUT_WORDS: Final = _WithoutWords()


def _log_without_words(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody waited for has failed; asyncio itself would log the error's words and reprs of what it was about."""
    error = context.get("exception")
    _log.error("a task or a callback failed", extra=_class_and_places(error) if error is not None else None)


def _class_and_places(error: BaseException) -> dict[str, str]:
    return {"error": type(error).__name__, "traceback": "".join(traceback.format_tb(error.__traceback__))}


def _certificate(settings: Settings) -> Certificate | None:
    if settings.plain:
        return None
    if settings.tls_certificate is None or settings.tls_key is None:
        raise ValueError("neither TLS files nor plain HTTP")  # settings.parse lets nobody come here
    return Certificate(settings.tls_certificate, settings.tls_key)


@contextmanager
def _signals_set(ending: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set ``ending`` for the block."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, ending.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
