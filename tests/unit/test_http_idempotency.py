"""A POST with an Idempotency-Key whose session goes away meanwhile, or belongs to somebody else; pages of a list."""

from __future__ import annotations

from typing import Any

import pytest

from meeting_buddy.contract import identity
from meeting_buddy.http_api.documents import EXAMPLE, Platforms, SessionRequest
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.service import MAX_LIMIT, Sessions
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


class Held:
    """An API server that keeps the first session of each name; ``change`` is applied to what it reads."""

    def __init__(self, **change: Any) -> None:
        self.user = "jane"
        self._change = change
        self._made: dict[str, Any] = {}

    async def create(self, _token: str, namespace: str, manifest: Any) -> Any:
        name = manifest["metadata"]["name"]
        if name in self._made:
            raise KubeError("MeetingSession", namespace, name, 409, "AlreadyExists", "it exists")
        more = {"uid": UID, "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1}
        self._made[name] = {**manifest, "metadata": {**manifest["metadata"], **more}}
        return self._made[name]

    async def get(self, _token: str, namespace: str, name: str) -> Any:
        if name not in self._made:
            raise KubeError("MeetingSession", namespace, name, 404, "NotFound", "not found")
        found = self._made[name]
        annotations = found["metadata"]["annotations"] | self._change.get("annotations", {})
        return {**found, "metadata": {**found["metadata"], **self._change, "annotations": annotations}}

    async def username(self, _: Caller) -> str:
        return self.user


REFUSALS = [
    (403, "is forbidden: exceeded quota: few, requested: count/a=1, used: count/a=1", "quota-exceeded"),
    (400, 'admission webhook "rules.example.com" denied the request: not today', "admission-denied"),
    (401, 'admission webhook "rules.example.com" denied the request: not today', "admission-denied"),
    (422, "is invalid", "invalid"),
]


class Refusing(Held):
    """One that refuses each session, also one that is there."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__()
        reason = {403: "Forbidden", 422: "Invalid"}.get(status, "")  # webhooks may leave it out
        self._refusal = KubeError("MeetingSession", "team-a", "api-x", status, reason, message)
        self.there, self.reads = True, 0

    async def create(self, _token: str, namespace: str, manifest: Any) -> Any:
        await super().create(_token, namespace, manifest)
        raise self._refusal

    async def get(self, token: str, namespace: str, name: str) -> Any:
        self.reads += 1
        if not self.there:
            raise KubeError("MeetingSession", namespace, name, 404, "NotFound", "not found")
        return await super().get(token, namespace, name)


@pytest.mark.parametrize(("status", "message", "kind"), REFUSALS)
async def test_a_key_finds_its_session_where_a_new_one_would_be_refused(status: int, message: str, kind: str) -> None:
    held: Any = Refusing(status, message)
    sessions = Sessions(held, held, Platforms(()))
    _, replayed = await sessions.create(Caller("token"), "team-a", SessionRequest(**EXAMPLE), "key")
    assert replayed
    held.there = False
    with pytest.raises(ProblemError) as refused:
        await sessions.create(Caller("token"), "team-a", SessionRequest(**EXAMPLE), "other")
    assert refused.value.kind == kind
    with pytest.raises(ProblemError) as refused:
        await sessions.create(Caller("token"), "team-a", SessionRequest(**EXAMPLE))
    assert (refused.value.kind, held.reads) == (kind, 2), "without a key there is nothing to look for"


async def test_a_key_finds_its_session_where_the_operator_no_longer_watches() -> None:
    held: Any = Held()
    await Sessions(held, held, Platforms(())).create(Caller("token"), "team-a", SessionRequest(**EXAMPLE), "key")
    narrowed = Sessions(held, held, Platforms(()), watched=["team-b"])
    _, replayed = await narrowed.create(Caller("token"), "team-a", SessionRequest(**EXAMPLE), "key")
    assert replayed
    for key in ("other", None):
        with pytest.raises(ProblemError) as refused:
            await narrowed.create(Caller("token"), "team-a", SessionRequest(**EXAMPLE), key)
        assert (refused.value.kind, refused.value.problem.field) == ("invalid", "namespace")


UID = "11111111-2222-3333-4444-555555555555"
OF_ANOTHER = {"annotations": {identity.ANNOTATION_CREATED_BY: "john"}}


async def repeated(held: Any, created_by_policy: bool = True) -> bool:
    """Whether the second of two equal requests is told that the session is the first one's."""
    sessions = Sessions(held, held, Platforms(()), created_by_policy)
    for _ in range(2):
        _, replayed = await sessions.create(Caller("token"), "team-a", SessionRequest(**EXAMPLE), "key")
    return replayed


async def test_a_key_never_answers_with_a_session_of_another_user() -> None:
    assert await repeated(Held())
    with pytest.raises(ProblemError) as refused:
        await repeated(Held(**OF_ANOTHER))
    assert (refused.value.kind, refused.value.problem.field) == ("idempotency-key-reused", "Idempotency-Key")
    assert "john" not in str(refused.value.document())


async def test_without_the_policy_nobody_is_believed_to_have_created_a_session() -> None:
    assert await repeated(Held(**OF_ANOTHER), created_by_policy=False)


async def test_a_session_that_is_being_deleted_is_no_success() -> None:
    with pytest.raises(ProblemError) as refused:
        await repeated(Held(deletionTimestamp="2026-01-01T00:00:01Z"))
    assert refused.value.kind == "conflict"
    assert refused.value.headers["Retry-After"].isdecimal()


class Many:
    """An API server with 250 sessions that notes the limits that it is asked for."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    async def page(self, _caller: Caller, namespace: str, _selector: str, limit: int, cursor: str) -> Any:
        self.limits.append(limit)
        start = int(cursor or 0)
        numbers = range(start, min(start + limit, 250))
        return [self._session(namespace, each) for each in numbers], str(numbers.stop) if numbers.stop < 250 else ""

    async def namespace(self, _caller: Caller, given: str) -> str:
        return given

    def _session(self, namespace: str, number: int) -> Any:
        about = {"uid": f"{UID[:-3]}{number:03d}", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
        return {
            "apiVersion": "meetingbuddy.io/v1alpha1",
            "kind": "MeetingSession",
            "metadata": {"name": f"s{number:03d}", "namespace": namespace, "generation": 1, **about},
            "spec": {"meetingLink": "https://teams.microsoft.com/meet/1?p=x"},
        }


async def test_no_page_asks_the_api_server_for_more_than_100_sessions() -> None:
    many: Any = Many()
    sessions, seen, cursor = Sessions(many, many, Platforms(())), list[str](), ""
    while True:
        page = await sessions.list_sessions(Caller("token"), "team-a", limit=MAX_LIMIT, cursor=cursor)
        seen += [each.session_id for each in page.sessions]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert many.limits == [100, 100, 100]
    assert (len(seen), len(set(seen))) == (250, 250)
    await sessions.list_sessions(Caller("token"), "team-a", limit=7)
    assert many.limits[-1] == 7
