"""The line in the log for each request: of what turned out, and never of what was sent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pytest

from meeting_buddy.http_api.documents import EXAMPLE, Platforms, SessionRequest
from meeting_buddy.http_api.finding import Finder
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.request_log import logging_requests
from meeting_buddy.http_api.service import Sessions
from meeting_buddy.kube.caller import Page, Who
from meeting_buddy.kube.errors import KubeError

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


UID = "11111111-2222-3333-4444-555555555555"
SESSION: Any = {
    "apiVersion": "meetingbuddy.io/v1alpha1",
    "kind": "MeetingSession",
    "metadata": {"name": "a", "namespace": "team-a", "uid": UID, "resourceVersion": "7", "generation": 1},
    "spec": {"meetingLink": "https://zoom.us/j/1"},
}


class Writable:
    """An API server with one session; ``review`` is its answer to who asks who it is."""

    def __init__(self, review: KubeError | None = None) -> None:
        self._review = review
        self.reviews = self.writes = 0

    async def who(self, _: str) -> Who:
        self.reviews += 1
        if self._review is not None:
            raise self._review
        return Who("system:serviceaccount:team-a:jane", "JTI=1")

    async def name_of(self, *_: str) -> str:
        return "a"

    async def page(self, *_: Any, **__: Any) -> Page:
        return Page([SESSION], "", "7")

    async def create(self, *_: Any) -> Any:
        self.writes += 1
        return SESSION

    async def ask_to_leave(self, *_: str) -> Any:
        self.writes += 1
        return SESSION

    async def delete(self, *_: str) -> None:
        self.writes += 1


async def written(api: Any, what: str, namespace: str | None) -> Caller:
    caller = Caller("token")
    await getattr(Sessions(api, Finder(api), Platforms(())), what)(caller, namespace, f"mbsess_{UID.replace('-', '')}")
    return caller


@pytest.mark.parametrize("what", ["leave", "delete"])
@pytest.mark.parametrize("namespace", ["team-a", None])
async def test_who_changes_a_session_is_known(what: str, namespace: str | None) -> None:
    api = Writable()
    known = (await written(api, what, namespace)).known
    assert (known.user, known.credential, known.namespace) == ("system:serviceaccount:team-a:jane", "JTI=1", "team-a")
    assert (api.reviews, api.writes) == (1, 1)


async def test_who_creates_a_session_is_known_without_the_policy_too() -> None:
    api: Any = Writable()
    caller = Caller("token")
    sessions = Sessions(api, Finder(api), Platforms(()), created_by_policy=False)
    await sessions.create(caller, "team-a", SessionRequest(**EXAMPLE))
    assert (caller.known.user, api.reviews, api.writes) == ("system:serviceaccount:team-a:jane", 1, 1)


@pytest.mark.parametrize("what", ["leave", "delete"])
async def test_who_may_not_ask_who_it_is_may_change_a_session_all_the_same(what: str) -> None:
    words = 'forbidden: User "jane" cannot create resource "selfsubjectreviews"'
    api = Writable(KubeError("SelfSubjectReview", "", "", 403, "Forbidden", words))
    assert (await written(api, what, "team-a")).known.user == ""
    assert (api.reviews, api.writes) == (1, 1)
    api = Writable(KubeError("SelfSubjectReview", "", "", 401, "Unauthorized", "Unauthorized"))
    with pytest.raises(ProblemError, match="unauthorized"):
        await written(api, what, "team-a")
