"""The Chrome DevTools protocol over one WebSocket: requests with a deadline, events to handlers, death as an event.

Beside WebDriver because reading must not wait for clicking, because an isolated world exists only here, and because a
dead browser closes the socket at once.
"""

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Self

import aiohttp

from meeting_buddy_bot.browser.errors import BrowserError, BrowserGoneError, CdpError, PageTimeoutError

Params = dict[str, Any]
Handler = Callable[[Params, str | None], None]
"""Called with an event's parameters and the session (target) that it came from."""

_LARGEST_MESSAGE: Final = 64 * 1024 * 1024  # bytes; a full-page screenshot of a 1080p page is about 3 MB in base64

_log = logging.getLogger(__name__)


class Cdp:
    """One connection to a browser; sessions of its targets are multiplexed over it ("flat" sessions)."""

    def __init__(self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._http = http
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Params]] = {}
        self._handlers: dict[str, list[Handler]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly
        self._fault: str | None = None
        """Why nothing more was read, where that was no ordinary end."""
        self.closed = asyncio.Event()
        """Set once the socket is gone, from either side."""
        self._reader = asyncio.create_task(self._read(), name="cdp reader")

    @classmethod
    async def connect(cls, address: str, seconds: float = 10.0) -> Self:
        """Connect to the browser whose debugger listens on ``address`` (``host:port``).

        Raises:
            BrowserGoneError: nobody answers within ``seconds``.
        """
        http = aiohttp.ClientSession()  # trust_env stays off: a proxy has no business on the pod's loopback
        try:
            async with asyncio.timeout(seconds):
                async with http.get(f"http://{address}/json/version") as answer:
                    url = (await answer.json(content_type=None))["webSocketDebuggerUrl"]
                socket = await http.ws_connect(url, max_msg_size=_LARGEST_MESSAGE)
        except (aiohttp.ClientError, OSError, TimeoutError, KeyError, ValueError) as error:
            await http.close()
            raise BrowserGoneError(f"the browser's debugger does not answer: {type(error).__name__}") from error
        except BaseException:
            await http.close()
            raise
        return cls(http, socket)

    def on(self, event: str, handler: Handler) -> None:
        """Call ``handler`` with each ``event`` (``Page.frameNavigated``) of any session."""
        self._handlers.setdefault(event, []).append(handler)

    async def call(
        self, method: str, params: Params | None = None, *, session: str | None = None, seconds: float = 5.0
    ) -> Params:
        """Result of one request.

        Raises:
            BrowserGoneError: the connection is gone.
            PageTimeoutError: no answer within ``seconds``.
            CdpError: the browser refused.
        """
        if self.closed.is_set():
            raise self._gone()
        number = next(self._numbers)
        message: Params = {"id": number, "method": method, "params": params or {}}
        if session is not None:
            message["sessionId"] = session
        answer: asyncio.Future[Params] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(seconds):
                await self._socket.send_str(json.dumps(message))
                return await answer
        except TimeoutError:
            raise PageTimeoutError(f"no answer to {method} in {seconds:g} s") from None
        except (ConnectionError, aiohttp.ClientError) as error:
            raise self._gone() from error
        finally:
            self._waiting.pop(number, None)

    def send(self, method: str, params: Params | None = None, *, session: str | None = None) -> None:
        """One request from inside a handler, its answer awaited by nobody; that it fails has no effect."""
        self.start(self.call(method, params, session=session))

    def start(self, requests: Coroutine[Any, Any, Any]) -> None:
        """Run several requests from inside a handler, as :meth:`send` does with one."""

        async def run() -> None:
            with contextlib.suppress(BrowserError):
                await requests

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give the connection up; the browser lives on."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(2):
                await self._socket.close()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._http.close()

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(json.loads(message.data))
                elif message.type is aiohttp.WSMsgType.ERROR:
                    error = message.data
                    self._fault = str(error) if isinstance(error, aiohttp.WebSocketError) else type(error).__name__
        except Exception as error:
            _log.exception("what the browser said cannot be read")
            self._fault = type(error).__name__
        finally:
            self.closed.set()
            _log.log(logging.WARNING if self._fault else logging.INFO, "%s", self._gone())
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(self._gone())

    def _gone(self) -> BrowserGoneError:
        why = self._fault or (f"close code {self._socket.close_code}" if self._socket.close_code else None)
        return BrowserGoneError("the connection to the browser is gone" + (f" ({why})" if why else ""))

    def _take(self, message: Params) -> None:
        answer = self._waiting.get(message.get("id", 0))
        if answer is not None:
            if answer.done():
                return
            if "error" in message:
                answer.set_exception(CdpError(str(message["error"].get("message", "refused"))[:200]))
            else:
                answer.set_result(message.get("result", {}))
            return
        for handler in self._handlers.get(message.get("method", ""), ()):
            try:
                handler(message.get("params", {}), message.get("sessionId"))
            except Exception:
                # One odd event of a page must not cost the connection.
                _log.exception("handler of %s failed", message.get("method"))
