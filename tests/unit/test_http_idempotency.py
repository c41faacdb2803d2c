"""A POST with an Idempotency-Key whose session goes away between the two calls that it takes."""

from __future__ import annotations

from typing import Any

import pytest

from meeting_buddy.http_api.documents import EXAMPLE, Platforms, SessionRequest
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.service import Sessions
from meeting_buddy.kube.errors import KubeError


class Deleted:
    """An API server that has the session when it is to be created, and not when it is read."""

    async def create(self, *_: Any) -> Any:
        raise KubeError("MeetingSession", "team-a", "api-x", 409, "AlreadyExists", "it exists")

    async def get(self, *_: Any) -> Any:
        raise KubeError("MeetingSession", "team-a", "api-x", 404, "NotFound", 'meetingsessions "api-x" not found')

    async def username(self, _: Caller) -> str:
        return "jane"


async def test_a_session_that_is_deleted_meanwhile_is_a_conflict_to_be_repeated() -> None:
    nobody: Any = Deleted()
    sessions = Sessions(nobody, nobody, Platforms(()))
    with pytest.raises(ProblemError) as refused:
        await sessions.create(Caller("token"), "team-a", SessionRequest(**EXAMPLE), "key")
    assert (refused.value.kind, refused.value.headers) == ("conflict", {"Retry-After": "1"})
    assert "Repeat" in refused.value.document()["remedy"]
