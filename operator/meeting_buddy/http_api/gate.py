"""What is judged of every request below ``/v1/`` before any route sees it: token, size, time, repeated parameters."""

import asyncio
from collections import Counter
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meeting_buddy.http_api.identity import bearer
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.streams import STREAMS, Stream

GUARDED: Final = "/v1/"
MAX_BODY: Final = 64 * 1024
"""Bytes."""
MAX_QUERY: Final = 4 * 1024
"""Bytes."""
_LONGEST_LENGTH: Final = 10
"""Digits of a ``Content-Length`` that are read: Python refuses numbers of thousands, which zeros in front may be."""
BODY_SECONDS: Final = 10.0
_ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_CLOSE: Final = {"Connection": "close"}


class Gate:
    """ASGI middleware; puts the ``Caller`` into the request's state."""

    def __init__(self, app: ASGIApp, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                names = {name.lower() for name, _ in message["headers"]}
                extra = [each for each in _ALWAYS if each[0] not in names]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            await self._judge(scope, receive, sending)
        except asyncio.CancelledError:  # the process ends, and the answer took too long; the server would say 500
            if started:
                raise
            headers = _CLOSE | {"Retry-After": "1"}
            ends = ProblemError("upstream-unavailable", "this server ends, and had no answer yet", headers=headers)
            await ends.response()(scope, receive, sending)

    async def _judge(self, scope: Scope, receive: Receive, sending: Send) -> None:
        if not scope["path"].startswith(GUARDED):  # not request.url.path: a Host header can forge that
            await self._app(scope, receive, sending)
            return
        try:
            scope.setdefault("state", {})["caller"] = bearer(scope["headers"])
            _check_query(scope["query_string"])
            body = await self._body(scope, receive)
        except ProblemError as error:
            await error.response()(scope, receive, sending)
            return
        if body is None:
            return
        # Streams go on for long: here, where what routes needed until then is free again, some 10 KB for each.
        streams: list[Stream] = scope["state"].setdefault(STREAMS, [])
        await self._app(scope, _replay(body, receive), sending)
        for name in [each for each in scope if each.startswith("fastapi_")]:
            del scope[name]
        while streams:
            await streams.pop().run(receive, sending)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; ``None``: the client has gone.

        Raises:
            ProblemError: 408, 413.
        """
        too_large = ProblemError("too-large", f"at most {MAX_BODY} bytes are read", headers=_CLOSE)
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or len(length) > _LONGEST_LENGTH or int(length) > MAX_BODY:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > MAX_BODY:
                        raise too_large
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            detail = f"the body did not arrive within {self._body_seconds:g} s"
            raise ProblemError("request-timeout", detail, headers=_CLOSE) from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body that was read, then what comes."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _check_query(query: bytes) -> None:
    if len(query) > MAX_QUERY:
        raise ProblemError("query-too-long", f"at most {MAX_QUERY} bytes are read")
    given = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    for name, times in given.items():
        if times > 1:
            raise ProblemError("invalid", "it is given more than once", field=name[:64])
