"""A connection to the browser that ends says why: to whoever asks, and in the log."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from meeting_buddy_bot.browser import cdp
from meeting_buddy_bot.browser.cdp import Cdp
from meeting_buddy_bot.browser.errors import BrowserGoneError
from tests.support.machine_wide import free_port

Say = Callable[[web.WebSocketResponse], Awaitable[object]]


async def end_of(say: Say, caplog: pytest.LogCaptureFixture) -> tuple[str, str, str]:
    """What a request that was under way is told, what a later one is, and the log."""
    port = free_port()

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"webSocketDebuggerUrl": f"http://127.0.0.1:{port}/socket"})

    async def socket(request: web.Request) -> web.WebSocketResponse:
        browser = web.WebSocketResponse()
        await browser.prepare(request)
        await browser.receive()
        await say(browser)
        async for _ in browser:
            pass
        return browser

    app = web.Application()
    app.add_routes([web.get("/json/version", version), web.get("/socket", socket)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        connection = await Cdp.connect(f"127.0.0.1:{port}")
        with caplog.at_level(logging.INFO):
            with pytest.raises(BrowserGoneError) as first:
                await connection.call("Page.enable", seconds=60)
            async with asyncio.timeout(60):
                await connection.closed.wait()
            with pytest.raises(BrowserGoneError) as second:
                await connection.call("Page.enable")
        await connection.close()
        return str(first.value), str(second.value), caplog.text
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (lambda browser: browser.send_str("x" * 2000), "Message size 2000 exceeds limit 1000"),
        (lambda browser: browser.send_str("no JSON"), "JSONDecodeError"),
        (lambda browser: browser.close(code=1011), "close code 1011"),
    ],
)
async def test_a_connection_that_ends_says_why(
    say: Say, why: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cdp, "_LARGEST_MESSAGE", 1000)
    first, second, log = await end_of(say, caplog)
    message = f"the connection to the browser is gone ({why})"
    assert (first, second) == (message, message)
    assert message in log
