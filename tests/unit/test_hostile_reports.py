"""Whatever a bot reports, the status that is made of it is one that the API server takes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meeting_buddy.contract.report import MAX_COUNT, RecordingReport, Report
from meeting_buddy.contract.report_reader import ReportError, read_report
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import Facts
from meeting_buddy.domain.plan import EmitEvent, PatchStatus
from meeting_buddy.resource.session import MeetingSessionStatus
from tests.support import operator_facts as make

STATUS = {"phase": "Recording", "attempt": 1, "botPod": make.POD, "joinTimestamp": "2026-11-23T10:00:20Z"}
LAST_INT64 = 2**63 - 1
PERSON = {"name": "Ann", "joinedAt": "2026-11-23T10:00:30Z"}
BASE = {
    **json.loads(make.joined().to_json()),
    "recording": {"segments": 2, "audioFiles": 1, "videoFiles": 1, "bytes": 9, "seconds": 40.0, "verified": True},
    "transcription": {"state": "Failed", "reason": "NoModel", "message": "no model", "lines": 3, "lagSeconds": 1.5},
    "people": {"current": [PERSON], "left": [{**PERSON, "leftAt": "2026-11-23T10:00:40Z"}], "present": 1, "seen": 2},
    "media": {"audio": {"received": False, "reason": "Silent"}, "video": {"received": True, "reason": "Advancing"}},
    "browser": {"alive": True, "sandbox": "seccomp"},
    "tableHash": "abc123",
    "evidence": ["debug/1.png"],
    "message": "it ended",
}


def paths(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where a value of a report stands."""
    if path:
        yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from paths(value, (*path, key))


PLACES = sorted({*paths(BASE)} - {("contract",), ("sessionId",), ("attempt",), ("phase",)}, key=str)
TEXTS = ["", "\ud800", "x" * 64, "x" * 65, "x" * 1025, "\u00df" * 1024, "\x00", "\U0001f600" * 600]
NUMBERS = [-1, 0, 2**31, MAX_COUNT + 1, 2**63, 2**70, 10**400, -0.5, 1e308, math.inf, math.nan]
MOMENTS = [
    "2026-11-23T10:05:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "1969-12-31T23:59:59Z",
    "2026-11-23T10:05:00.123456+05:45",
]
HOSTILE: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, [], {}, *TEXTS, *NUMBERS, *MOMENTS, ["\ud800"], [{}], ["x" * 300] * 60]),
    st.text(st.characters(codec=None)),
    st.integers(),
)


def changed(changes: dict[tuple[str | int, ...], Any]) -> dict[str, Any]:
    """The base with other values in these places; where there is no such place any more, nothing changes."""
    document: dict[str, Any] = json.loads(json.dumps(BASE))
    for path, value in changes.items():
        holder: Any = document
        try:
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue
    return document


def check(facts: Facts) -> None:
    """What is decided on these facts can be written."""
    for action in decide(facts, lambda: make.later(600)).actions:
        if isinstance(action, PatchStatus):
            merged = {**STATUS, **action.patch}
            MeetingSessionStatus.model_validate_json(json.dumps(merged))
            check_values(action.patch)
        if isinstance(action, EmitEvent):
            json.dumps(action.note)


def check_values(node: Any) -> None:
    """No number is out of the API server's range, and no text cannot be UTF-8."""
    if isinstance(node, dict | list):
        for each in node.values() if isinstance(node, dict) else node:
            check_values(each)
    elif isinstance(node, str):
        node.encode()
    elif isinstance(node, int):
        assert -LAST_INT64 <= node <= LAST_INT64
    elif isinstance(node, float):
        assert math.isfinite(node)


def place(text: str) -> tuple[str | int, ...]:
    """``media.audio.reason`` as a path."""
    return tuple(int(each) if each.isdigit() else each for each in text.split("."))


@given(st.dictionaries(st.sampled_from(PLACES), HOSTILE, min_size=1, max_size=4))
@example({place("media.audio.reason"): "x" * 1025})
@example({place("transcription.message"): "\ud800"})
@example({place("transcription.message"): "x" * 2000})
@example({place("transcription.reason"): "\ud800"})
@example({place("browser.sandbox"): "\u00df" * 1024})
@example({place("recording.segments"): -1})
@example({place("recording.bytes"): 2**70})
@example({place("people.seen"): 2**70})
@example({place("people.present"): -1})
@example({place("tableHash"): "a" * 200})
@example({place("leftAt"): "2026-11-23T10:05:00"})
@example({place("people.left.0.leftAt"): "9999-12-31T23:59:59-12:00"})
def test_a_status_made_of_any_report_that_can_be_read_fits_its_schema(
    changes: dict[tuple[str | int, ...], Any],
) -> None:
    text = json.dumps(changed(changes))
    try:
        report = read_report(text)
    except ReportError:
        return
    check(make.facts(make.session(STATUS), make.READY_POD, report=report))
    last = json.dumps({**json.loads(text), "phase": "Ended", "reason": "MeetingEnded"})
    check(make.facts(make.session(STATUS), make.terminated(make.ended(last), "Succeeded"), report=report))


@pytest.mark.parametrize(
    ("where", "value", "found"),
    [
        ("recording.segments", -1, 0),
        ("recording.bytes", 2**70, 0),
        ("recording.bytes", MAX_COUNT, MAX_COUNT),
        ("people.seen", MAX_COUNT + 1, 0),
        ("media.audio.reason", "x" * 1025, "NotInMeeting"),
        ("transcription.reason", "\ud800", None),
        ("browser.sandbox", "x" * 65, None),
        ("tableHash", "a" * 200, None),
        ("tableHash", "a" * 64, "a" * 64),
        ("leftAt", "2026-11-23T10:05:00", None),
        ("joinedAt", "0001-01-01T00:00:00Z", None),
    ],
)
def test_what_no_status_could_hold_counts_as_not_sent(where: str, value: object, found: object) -> None:
    node: Any = json.loads(read_report(json.dumps(changed({place(where): value}))).to_json())
    for key in place(where):
        node = node[key]
    assert node == found
    assert read_report(json.dumps(changed({place(where): value}))).transcription.lines == 3, "the rest is read"


def test_a_writer_does_not_fail_for_what_it_found() -> None:
    """A bot reads its counts from a volume on which anything may stand."""
    found = RecordingReport(segments=2, bytes=-5)
    written = Report.model_validate({**BASE, "recording": found, "tableHash": "a" * 200})
    assert written.recording.bytes == -5
    assert read_report(written.to_json()).recording.bytes == 0
