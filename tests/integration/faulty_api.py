"""A proxy before a real API server, by which calls meet what a busy, slow or restarting one does and cannot be told to.

What it passes on is answered by the real one. A fault gets each call, and decides what becomes of it.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from tests.support.kubeconfig import credentials
from tests.support.machine_wide import free_port

HOST = "127.0.0.1"
_PASSED_ON = ("Accept", "Content-Type", "Retry-After")


@dataclass(frozen=True, slots=True)
class Call:
    """A call on its way."""

    request: web.Request
    server: str
    http: aiohttp.ClientSession

    @property
    def writes(self) -> bool:
        return self.request.method != "GET"

    @property
    def watches(self) -> bool:
        return self.request.query.get("watch") == "true"

    def __str__(self) -> str:
        watched = " watched" if self.watches else ""
        return f"{self.request.method} {self.request.path}{watched}"

    async def pass_on(self) -> web.StreamResponse:
        """Have it answered by the real one."""
        async with self._asked() as answer:
            passed = web.StreamResponse(status=answer.status, headers=_some(answer.headers))
            await passed.prepare(self.request)
            async for part in answer.content.iter_any():
                await passed.write(part)
            await passed.write_eof()
            return passed

    async def pass_on_for(self, seconds: float) -> web.StreamResponse:
        """The same, but its connection is lost after so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self.pass_on()
        except TimeoutError:
            return self.lose()

    async def watch_until_expired(self, seconds: float) -> web.StreamResponse:
        """A watch that ends after so long, because what it saw last is not known any more."""
        async with self._asked() as answer:
            passed = web.StreamResponse(status=answer.status, headers=_some(answer.headers))
            await passed.prepare(self.request)
            try:
                async with asyncio.timeout(seconds):
                    async for line in answer.content:
                        await passed.write(line)
            except TimeoutError:
                await passed.write(json.dumps({"type": "ERROR", "object": EXPIRED}).encode() + b"\n")
            await passed.write_eof()
            return passed

    async def carry_out(self) -> None:
        """Have the real one do it, and keep its answer back."""
        async with self._asked() as answer:
            await answer.read()

    async def carry_out_and_lose(self) -> web.StreamResponse:
        """Have the real one do it, and lose its answer."""
        await self.carry_out()
        return self.lose()

    def lose(self) -> web.Response:
        """Its connection is lost."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[aiohttp.ClientResponse]:
        url = URL(self.server + self.request.raw_path, encoded=True)
        data = await self.request.read() or None
        async with self.http.request(
            self.request.method, url, data=data, headers=_some(self.request.headers), read_bufsize=2**20
        ) as answer:
            yield answer


Fault = Callable[[Call], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def faulty(real: Path, fault: Fault, folder: Path) -> AsyncIterator[Path]:
    """The proxy for the block, before the API server of this kubeconfig.

    Yields a kubeconfig below ``folder``. Whoever calls, the real one takes it for its administrator.
    """
    server, context = credentials(real)
    connector, timeout = aiohttp.TCPConnector(ssl=context, limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await fault(Call(request, server, http))
            except ConnectionError:  # whoever called waits no longer
                return web.Response()

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            port = free_port()
            await web.TCPSite(runner, HOST, port).start()
            yield _kubeconfig(folder, f"http://{HOST}:{port}")
        finally:
            await runner.cleanup()


def _kubeconfig(folder: Path, url: str) -> Path:
    name = "faulty"
    document = {
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path = folder / "faulty.kubeconfig"
    path.write_text(json.dumps(document))
    return path


def _some(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _PASSED_ON if name in headers}


def _status(code: int, reason: str, message: str) -> dict[str, object]:
    return {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}


EXPIRED = _status(410, "Expired", "too old resource version: 1 (2)")
_TOO_MANY = _status(429, "TooManyRequests", "too many requests, please try again later")
_FORBIDDEN = _status(403, "Forbidden", "not now")


# What may happen to calls


def busy() -> Fault:
    """Each is refused once before it is taken, as by API Priority and Fairness; watches and the Lease's, too."""
    seen: Counter[str] = Counter()

    async def fault(call: Call) -> web.StreamResponse:
        seen[str(call)] += 1
        if seen[str(call)] % 2:
            return web.json_response(_TOO_MANY, status=429, headers={"Retry-After": "1"})
        return await call.pass_on()

    return fault


def slow() -> Fault:
    """Each is taken two seconds late."""

    async def fault(call: Call) -> web.StreamResponse:
        await asyncio.sleep(2)
        return await call.pass_on()

    return fault


def forgetful() -> Fault:
    """No watch may begin where it wants to at first, and none lasts longer than two seconds."""
    seen: Counter[str] = Counter()

    async def fault(call: Call) -> web.StreamResponse:
        if not call.watches:
            return await call.pass_on()
        seen[str(call)] += 1
        return await call.watch_until_expired(2.0 * (seen[str(call)] % 2))

    return fault


def cut_off() -> Fault:
    """Of every third write the answer is lost, though it was carried out."""
    writes = 0

    async def fault(call: Call) -> web.StreamResponse:
        nonlocal writes
        writes += call.writes
        return await (call.carry_out_and_lose() if call.writes and writes % 3 == 0 else call.pass_on())

    return fault


def restarting() -> Fault:
    """Five seconds of every fifteen it is away."""
    period, away = 15.0, 5.0

    async def fault(call: Call) -> web.StreamResponse:
        left = period - asyncio.get_running_loop().time() % period
        return call.lose() if left > period - away else await call.pass_on_for(left)

    return fault


def forbidding() -> Fault:
    """The first two watches of each kind are refused, as long as roles are not there yet."""
    seen: Counter[str] = Counter()

    async def fault(call: Call) -> web.StreamResponse:
        seen[str(call)] += call.watches
        if call.watches and seen[str(call)] <= 2:
            return web.json_response(_FORBIDDEN, status=403)
        return await call.pass_on()

    return fault


FAULTS: Mapping[str, Callable[[], Fault]] = {
    each.__name__: each for each in (busy, slow, forgetful, cut_off, restarting, forbidding)
}
