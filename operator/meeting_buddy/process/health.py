"""``/healthz`` (this loop answers), ``/readyz`` (ready for work), ``/metrics``: plain HTTP on a port of their own."""

import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

IDLE_SECONDS: Final = 75.0
"""For the next request, or the rest of a request's head, to arrive on a connection; Prometheus asks each minute."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(
    host: str | None, port: int, not_ready: Callable[[], str | None], metrics: Callable[[], bytes]
) -> AsyncIterator[None]:
    """Serve for the block, on ``host`` or on all addresses; ``not_ready`` says why not, ``metrics`` is the exposition.

    Raises:
        OSError: the port is taken.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why = not_ready()
        return web.Response(text="ok\n") if why is None else web.Response(status=503, text=f"{why}\n")

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), content_type="text/plain", charset="utf-8")

    application = web.Application(middlewares=[_telling])
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", page)])
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=IDLE_SECONDS, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port) if host else web.SockSite(runner, every_address(port))
        await site.start()
        yield
    finally:
        await runner.cleanup()


@web.middleware
async def _telling(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log why a page fails: aiohttp's own errors, which quote requests, are not logged."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        _log.exception("a page failed")
        return web.Response(status=500, text="failed\n")


def every_address(port: int) -> socket.socket:
    """A socket that listens on all addresses: of IPv6 and IPv4 where the node has both, else of IPv4.

    Raises:
        OSError: the port is taken.
    """
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise  # else the kernel knows IPv6 and it is switched off
    return socket.create_server(("", port), backlog=128)
