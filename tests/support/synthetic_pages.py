"""Pages written for tests, served on loopback; each says in its source that it is synthetic.

They prove how the bot reads pages, never what a platform's page looks like: that is what real evidence is for.
"""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.local.machine.certificates import Authority, Subject

HOME = "meet.synthetic.test"
ELSEWHERE = "elsewhere.unrelated.test"  # another site to Chromium: its frames live in another process
HOSTS = {HOME: "127.0.0.1", ELSEWHERE: "127.0.0.1"}

_MARK = "<!-- synthetic: written for a test, seen on no real site -->"


class SyntheticSite:
    """An https server on a free port of loopback, under two names; `pages` maps paths to bodies."""

    def __init__(self, authority: Authority, pages: dict[str, str] | None = None) -> None:
        self.pages = pages or {}
        self.statuses: dict[str, int] = {}
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
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
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
        status = self.statuses.get(request.path, 200)
        body = self.pages.get(request.path)
        if body is None:
            return web.Response(status=404, text="no such page")
        body = body.replace("%HERE%", self.url("")).replace("%ELSEWHERE%", self.url("", ELSEWHERE))
        text = f"<!doctype html>{_MARK}<html lang=en><meta charset=utf-8><title>Synthetic</title><body>{body}</body>"
        return web.Response(status=status, text=text, content_type="text/html")
