"""Errors of the report server as problem documents (RFC 9457), free of anything that the caller sent.

What is no HTTP is answered by aiohttp itself, in its own words.
"""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """A response of type ``application/problem+json``."""
    document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return web.Response(
        status=status, text=json.dumps(document), content_type="application/problem+json", headers=headers
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn aiohttp's own errors (no such path, method not allowed) into problem documents."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        status = HTTPStatus(error.status)
        keep = {name: value for name, value in error.headers.items() if name == "Allow"}
        return problem(status, status.description or status.phrase, keep)
