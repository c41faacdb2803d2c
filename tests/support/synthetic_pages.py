"""Pages written for tests, served on loopback; each says in its source that it is synthetic.

They prove how the bot reads pages, never what a platform's page looks like: that is what real evidence is for.
"""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.local.machine.certificates import Authority, Subject

HOME = "meet.synthetic.test"
ELSEWHERE = "elsewhere.unrelated.test"  # another site to Chromium: its frames live in another process
HOSTS = {HOME: "127.0.0.1", ELSEWHERE: "127.0.0.1"}

_MARK = "<!-- synthetic: written for a test, seen on no real site -->"


def hang_until_answered(path: str) -> str:
    """JavaScript that does not return until the site has answered this path; it keeps no processor busy meanwhile.

    A request that fails, as it does when the machine's network changes, is sent again.
    """
    send = f"request.open('GET', '{path}', false); try {{ request.send(); break; }} catch {{}}"
    return f"for (const request = new XMLHttpRequest();;) {{ {send} }}"


_NEVER = "/never"  # no site answers it

HANG = hang_until_answered(_NEVER)
"""JavaScript that never returns."""


class SyntheticSite:
    """An https server on a free port of loopback, under two names; `pages` maps paths to bodies.

    A path in `held` is answered once its event is set. A site that stops does not wait for that.
    """

    def __init__(self, authority: Authority, pages: dict[str, str] | None = None) -> None:
        self.pages = pages or {}
        self.statuses: dict[str, int] = {}
        self.held = {_NEVER: asyncio.Event()}
        self.requested: list[web.Request] = []
        self._authority = authority
        self._runner: web.AppRunner | None = None
        self.port = 0

    def url(self, path: str, host: str = HOME) -> str:
        """Address of a page."""
        return f"https://{host}:{self.port}{path}"

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        pair = self._authority.issue("synthetic", Subject("synthetic", dns=tuple(HOSTS)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Refuse connections from now on; `__aenter__` serves again, on the same port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        self.requested.append(request)
        if (event := self.held.get(request.path)) is not None:
            await event.wait()
        status = self.statuses.get(request.path, 200)
        body = self.pages.get(request.path)
        if body is None:
            return web.Response(status=404, text="no such page")
        body = body.replace("%HERE%", self.url("")).replace("%ELSEWHERE%", self.url("", ELSEWHERE))
        text = f"<!doctype html>{_MARK}<html lang=en><meta charset=utf-8><title>Synthetic</title><body>{body}</body>"
        return web.Response(status=status, text=text, content_type="text/html")
