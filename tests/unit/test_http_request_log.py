"""The line in the log for each request: of what turned out, and never of what was sent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pytest

from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.request_log import logging_requests

CANARY = "canary-7f3a"


async def logged(caplog: pytest.LogCaptureFixture, app: Any, path: str = f"/v1/{CANARY}") -> list[dict[str, Any]]:
    """What is logged of one request."""
    caplog.set_level(logging.DEBUG)
    header = (b"authorization", f"Bearer {CANARY}".encode())
    scope = {"type": "http", "path": path, "query_string": CANARY.encode(), "headers": [header]}

    async def nothing(*_: Any) -> Any:
        return {"type": "http.disconnect"}

    with contextlib.suppress(ValueError, asyncio.CancelledError):
        await logging_requests(app)(scope, nothing, nothing)
    assert CANARY not in str([vars(record) for record in caplog.records])
    return [vars(record) for record in caplog.records]


async def answered(scope: Any, _: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": CANARY.encode()})


async def test_who_is_unknown_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    [line] = await logged(caplog, answered)
    assert (line["operation"], line["status"]) == ("unknown", 200)
    assert not {"user", "credential", "namespace", "session_id"} & set(line)


async def test_what_turned_out_is_there(caplog: pytest.LogCaptureFixture) -> None:
    class Route:
        operation_id = "getSession"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        caller = Caller(CANARY)
        scope["state"], scope["route"] = {"caller": caller}, Route()
        caller.known.user, caller.known.namespace = "jane", "team-a"
        await answered(scope, receive, send)

    [line] = await logged(caplog, app)
    assert (line["operation"], line["user"], line["namespace"]) == ("getSession", "jane", "team-a")
    assert "session_id" not in line


@pytest.mark.parametrize("error", [ValueError(CANARY), asyncio.CancelledError(CANARY)])
async def test_a_request_without_an_answer_has_no_status(
    caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    async def app(*_: Any) -> None:
        raise error

    [line] = await logged(caplog, app)
    assert line["status"] is None


async def test_other_pages_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert not await logged(caplog, answered, f"/openapi.json/{CANARY}")
