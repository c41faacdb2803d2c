"""Long lists of files in the HTTP API: a few at a time, since each takes much memory until it is sent."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from meeting_buddy.http_api import app, media_access, media_routes
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.media_access import LONG_LISTS, MediaAccess
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.readers import LONG_LIST, StoredFile, StoredFiles, StoredList
from meeting_buddy.http_api.streams import StreamLimits
from meeting_buddy.http_api.upstream import BrokenError

SESSION_ID = "mbsess_0123456789abcdef0123456789abcdef"
FILE = StoredFile("segments/00001.mkv", "segment", 3, None, "video/matroska", False)
CALLER = Caller("token")


class Lists:
    """Readers whose lists are ``long`` or not."""

    def __init__(self, *, long: bool) -> None:
        self.long = long
        self.open = 0

    async def files(self, _namespace: str, _session_id: str) -> Any:
        self.open += 1
        return self

    async def read(self) -> StoredFiles:
        return StoredFiles(files=[FILE], verified=False)

    def close(self) -> None:
        self.open -= 1


class Everything:
    """An API server and a finder that know one session and refuse nothing."""

    async def may(self, *_: str) -> bool:
        return True

    async def username(self, _: Caller) -> str:
        return "jane"

    async def find(self, *_: Any) -> Any:
        return {"metadata": {"namespace": "team-a", "name": "weekly", "uid": "1"}}


def access(lists: Lists) -> MediaAccess:
    return MediaAccess(Everything(), Everything(), None, lists)  # type: ignore[arg-type]


async def test_of_long_lists_few_are_there_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_access, "WAITING_SECONDS", 0.05)
    media = access(lists := Lists(long=True))
    held = [ExitStack() for _ in range(LONG_LISTS + 1)]
    for each in held[:-1]:
        found = json.loads(await media.recordings(CALLER, "team-a", SESSION_ID, each))
        assert [file["name"] for file in found["recordings"]] == [FILE.name]
    with pytest.raises(ProblemError) as refused:
        await media.recordings(CALLER, "team-a", SESSION_ID, held[-1])
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "10"})
    assert not lists.open, "the reader is let go"
    held[0].close()
    assert await media.recordings(CALLER, "team-a", SESSION_ID, held[-1])


async def test_of_short_ones_as_many_as_there_are_places() -> None:
    media = access(Lists(long=False))
    for _ in range(LONG_LISTS + 1):
        assert await media.recordings(CALLER, "team-a", SESSION_ID, ExitStack())


def test_a_list_that_is_not_long_keeps_no_more_than_any_stream_may() -> None:
    namespace = "n" * 63
    one = {"name": "segments/00001.mkv", "kind": "segment", "bytes": 10**8, "sha256": "0" * 64}
    one |= {"media_type": "video/matroska", "final": True}
    count = LONG_LIST // len(json.dumps(one))
    text = media_access._list_text(
        StoredFiles.model_validate({"files": [one] * count, "verified": False}), namespace, SESSION_ID
    )
    assert len(text) <= 1 << 20, "see StreamLimits.in_all"
    for size, long in ((LONG_LIST, False), (LONG_LIST + 1, True), (None, True)):
        answer: Any = SimpleNamespace(content_length=size)
        assert StoredList(answer, namespace).long == long


async def test_a_list_keeps_its_place_until_it_is_sent() -> None:
    limits, asked, taken = StreamLimits(), asyncio.Event(), asyncio.Event()
    finder: Any = Everything()
    built = app.build(finder, SimpleNamespace(), access(Lists(long=True)), limits=limits)  # type: ignore[arg-type]
    sent: list[Any] = []
    requests: list[Any] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return requests.pop() if requests else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)
        if message.get("body"):
            asked.set()
            await taken.wait()

    path = f"/v1/meeting-buddy/sessions/{SESSION_ID}/recordings"
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"namespace=team-a",
        "headers": [(b"authorization", b"Bearer token")],
        "state": {},
    }
    async with asyncio.timeout(10):
        answering = asyncio.create_task(built(scope, receive, send))
        await asked.wait()
        assert limits._open.total() == 1
        taken.set()
        await answering
    assert limits._open.total() == 0
    headers = dict(sent[0]["headers"])
    body = b"".join(each["body"] for each in sent[1:])
    assert (sent[0]["status"], headers[b"content-type"], int(headers[b"content-length"])) == (
        200,
        b"application/json",
        len(body),
    )
    assert json.loads(body)["recordings"][0]["size_bytes"] == FILE.bytes


async def test_a_list_that_a_client_does_not_take_in_time_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [part async for part in media_routes._slices(bytes(200_000))]
    assert [len(part) for part in whole] == [65536, 65536, 65536, 3392]
    monkeypatch.setattr(media_routes, "LIST_SECONDS", -1.0)
    with pytest.raises(BrokenError):
        await anext(media_routes._slices(b"{}"))
