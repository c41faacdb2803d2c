"""What the transcript of a real meeting is worth: five people who take turns, then two groups that talk at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime

from tests.local.bench.figures import Figure
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import SESSIONS
from tests.local.installation.attendance import attending, unshown
from tests.local.installation.transcript import Understood, understood
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.people import EVERYBODY, Person

_SPOKEN = 90.0
"""Seconds of conversation."""
_OTHERS = (Person("Mary Jackson"), Person("Karen Jones"))


def through_meetings(kubectl: Kubectl, meeting: LocalMeeting) -> list[Figure]:
    """Two meetings of five people each."""
    turns = _transcript(kubectl, meeting, "turns", [(*EVERYBODY, *_OTHERS)])
    at_once = _transcript(kubectl, meeting, "at-once", [EVERYBODY, _OTHERS])
    return [
        Figure("words wrong in the transcript", _wrong(turns), "", "≤ 8 %"),
        Figure("words with a wrong name, in turns", _misnamed(turns), _unnamed(turns), "≤ 5 %"),
        Figure("words with a wrong name, at once", _misnamed(at_once), _unnamed(at_once), "≤ 15 %"),
    ]


def _transcript(kubectl: Kubectl, meeting: LocalMeeting, name: str, groups: Sequence[Sequence[Person]]) -> Understood:
    """The transcript of a meeting in which each group has a conversation of its own."""
    room = meeting.room(f"bench-{name}-{time.monotonic_ns() // 1_000_000}")
    first, *others = groups
    with ExitStack() as stack:
        session = stack.enter_context(attending(kubectl, room, people=first, show=unshown))
        crowds = [session.people, *(stack.enter_context(room.people(each)) for each in others)]
        session.recording()
        session.people.wait_until_spoken(_SPOKEN)
        for crowd in crowds[1:]:
            crowd.stop()
        session.completed()
    said = sorted((one for crowd in crowds for one in crowd.said()), key=lambda one: one.wall)
    joined = next(line["utc"] for line in session.manifest if "segment" in line)
    found = understood(session.transcript_lines, said, datetime.fromisoformat(joined))
    kubectl("delete", "mbs", room.name, f"--namespace={SESSIONS}")
    return found


def _wrong(found: Understood) -> str:
    return f"{found.words.error_rate:.1%} ({found.words.wrong} of {found.words.spoken})"


def _misnamed(found: Understood) -> str:
    return f"{found.misnamed / max(found.named, 1):.1%} ({found.misnamed} of {found.named})"


def _unnamed(found: Understood) -> str:
    return f"without a name {found.unnamed}"
