"""One line in the log for each request below ``/v1/``: who did what to which session, and how it ended.

Who reads one session or a list and names its namespace is not looked up: that line has no user, as the API server's
audit log has it. Never a path, a query, a header or a body: what a caller sends may be a secret, or a fake line.
"""

import logging
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meeting_buddy.http_api.gate import GUARDED
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.metrics import operation

_log: Final = logging.getLogger(__name__)


def logging_requests(app: ASGIApp) -> ASGIApp:
    """``app`` with a line for each request, written when its answer is over: for a stream, when that is."""

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            return await app(scope, receive, send)
        start, status = time.monotonic(), None

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            return await app(scope, receive, sending)
        finally:
            seconds = round(time.monotonic() - start, 3)
            about = {"operation": operation(scope), "status": status, "seconds": seconds}
            _log.info("request", extra=about | _known(scope))

    return logged


def _known(scope: Scope) -> dict[str, str]:
    """What is known of who asked and what about, without what is not."""
    caller = scope.get("state", {}).get("caller")
    if not isinstance(caller, Caller):
        return {}
    known = caller.known
    found = {
        "user": known.user,
        "credential": known.credential,
        "namespace": known.namespace,
        "session_id": known.session_id,
    }
    return {name: value for name, value in found.items() if value}
