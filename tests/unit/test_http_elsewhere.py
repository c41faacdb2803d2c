"""Files that no reader serves: the HTTP API does not say of them that they do not exist."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from contextlib import ExitStack
from typing import Any

import pytest

from meeting_buddy.http_api import __main__ as process
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.media_access import MediaAccess
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.resource.installation import Installation

SESSION_ID = "mbsess_11111111222233334444555555555555"
CLASSES = {
    "default": {"image": "example.org/bot:1", "storage": {"claim": "shared"}},
    "large": {"image": "example.org/bot:1", "storage": {"claim": "shared"}},
    "secret": {"image": "example.org/bot:1", "storage": {"claim": "locked"}},
}


class Empty:
    """An API server, a finder and a reader: one session of a bot class, and no file of it."""

    def __init__(self, bot_class: str, phase: str = "Completed") -> None:
        self._class, self._phase = bot_class, phase

    async def may(self, *_: str) -> bool:
        return True

    async def find(self, *_: Any) -> Any:
        about = {"uid": "11111111-2222-3333-4444-555555555555", "creationTimestamp": "2026-11-23T10:00:00Z"}
        link = {"meetingLink": "https://zoom.us/j/1", "botClassName": self._class}
        return {
            "apiVersion": "meetingbuddy.io/v1alpha1",
            "kind": "MeetingSession",
            "metadata": {"name": "a", "namespace": "team-a", "generation": 1, "resourceVersion": "7", **about},
            "spec": link | {"transcription": {"enabled": True}},
            "status": {"phase": self._phase},
        }

    async def file(self, *_: Any) -> None:
        return None

    async def files(self, *_: Any) -> None:
        return None


def media_of(bot_class: str, phase: str = "Completed") -> MediaAccess:
    """What answers of a session of this bot class, of which the reader has nothing."""
    empty: Any = Empty(bot_class, phase)
    unread = process._unread(Installation.model_validate_json(json.dumps({"botClasses": CLASSES})))
    return MediaAccess(empty, empty, empty, empty, unread)


async def refused(bot_class: str, what: str, phase: str = "Completed") -> ProblemError:
    """What is said of a file that the reader does not have."""
    media = media_of(bot_class, phase)
    caller = Caller("token")
    asked: Awaitable[Any]
    if what == "transcript":
        asked = media.open_transcript(caller, "team-a", SESSION_ID, None)
    elif what == "list":
        asked = media.recordings(caller, "team-a", SESSION_ID, ExitStack())
    else:
        asked = media.open_recording(caller, "team-a", SESSION_ID, "recording.mp4", {}, "GET")
    with pytest.raises(ProblemError) as found:
        await asked
    return found.value


@pytest.mark.parametrize("what", ["transcript", "list", "recording"])
async def test_files_of_another_claim_are_said_to_be_elsewhere(what: str) -> None:
    detail = "files of bot class secret are on a volume that no reader serves"
    assert (await refused("secret", what)).problem.detail == detail
    assert "Retry-After" not in (await refused("secret", "recording", "Recording")).headers, "it will not come"
    assert (await refused("secret", "list")).kind == "no-such-recording"


@pytest.mark.parametrize("bot_class", ["default", "large", "removed"])
async def test_of_the_readers_own_claim_its_word_is_passed_on(bot_class: str) -> None:
    found = await refused(bot_class, "transcript")
    assert (found.kind, found.problem.detail) == ("no-transcript", "the reader has no transcript of this session")
    found = await refused(bot_class, "recording", "Recording")
    assert (found.problem.detail, found.headers) == ("this session has no file of that name", {"Retry-After": "10"})
    listed = await media_of(bot_class).recordings(Caller("token"), "team-a", SESSION_ID, ExitStack())
    assert json.loads(listed) == {"recordings": [], "verified": False}
