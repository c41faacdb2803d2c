"""Namespaces that the operator does not watch: the admission policy guards nothing there, and nobody attends."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from meeting_buddy.http_api.documents import EXAMPLE, Platforms, SessionRequest
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.service import Sessions


class Upstream:
    """An API server with one session in each namespace, which says that `john` created it."""

    def __init__(self) -> None:
        self.created: list[str] = []

    async def create(self, _token: str, namespace: str, manifest: Any) -> Any:
        self.created.append(namespace)
        return {**manifest, "metadata": {**self._metadata(namespace), **manifest["metadata"]}}

    async def page(self, _caller: Caller, namespace: str, *_: Any) -> Any:
        annotations = {"meetingbuddy.io/created-by": "john"}
        spec = {"meetingLink": EXAMPLE["meeting_link"]}
        return [{"metadata": {**self._metadata(namespace), "annotations": annotations}, "spec": spec}], ""

    def _metadata(self, namespace: str) -> dict[str, Any]:
        return {"name": "a", "namespace": namespace, "uid": "11111111-2222-3333-4444-555555555555"}

    async def username(self, _: Caller) -> str:
        return "system:serviceaccount:team-b:caller"

    async def note_user(self, _: Caller) -> None:
        pass

    async def namespace(self, _caller: Caller, given: str) -> str:
        return given

    def namespace_of(self, username: str) -> str:
        return username.split(":")[2]


def sessions_of(upstream: Upstream, watched: Collection[str], *, policy: bool = True) -> Sessions:
    both: Any = upstream
    return Sessions(both, both, Platforms(()), policy, watched=watched)


@pytest.mark.parametrize(
    ("watched", "namespace", "user"),
    [((), "team-b", "john"), (("team-a",), "team-a", "john"), (("team-a",), "team-b", None)],
)
async def test_who_created_a_session_is_believed_where_the_policy_guards_it(
    watched: Collection[str], namespace: str, user: str | None
) -> None:
    page = await sessions_of(Upstream(), watched).list_sessions(Caller("token"), namespace)
    assert [each.user_id for each in page.sessions] == [user]


@pytest.mark.parametrize("policy", [True, False])
@pytest.mark.parametrize("named", ["team-b", None])
async def test_no_session_is_made_where_no_operator_would_see_it(named: str | None, policy: bool) -> None:
    upstream = Upstream()
    with pytest.raises(ProblemError) as refused:
        await sessions_of(upstream, ["team-a"], policy=policy).create(Caller("token"), named, SessionRequest(**EXAMPLE))
    assert (refused.value.kind, refused.value.problem.field, upstream.created) == ("invalid", "namespace", [])
    assert "team-a" not in str(refused.value.document()), "names of namespaces are not for everybody"
    assert "watchNamespaces" in (refused.value.problem.remedy or "")


@pytest.mark.parametrize("watched", [(), ("team-a", "team-b")], ids=["all", "some"])
async def test_a_session_is_made_where_the_operator_watches(watched: Collection[str]) -> None:
    upstream = Upstream()
    made, _ = await sessions_of(upstream, watched).create(Caller("token"), None, SessionRequest(**EXAMPLE))
    assert (made.user_id, upstream.created) == ("system:serviceaccount:team-b:caller", ["team-b"])
