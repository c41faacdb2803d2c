"""Requests are generated from the CRD's model, and session objects say everything, with null for what is not known."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from meeting_buddy.contract.links import SelfHostedKind
from meeting_buddy.contract.phases import Phase
from meeting_buddy.http_api.app import build
from meeting_buddy.http_api.documents import (
    EXAMPLE,
    MAX_HISTORY,
    SESSIONS,
    STATUSES,
    Platforms,
    SessionObject,
    SessionRequest,
    http_field,
    session_object,
    spec_of,
)
from meeting_buddy.http_api.problems import KINDS
from meeting_buddy.resource.session import MeetingSessionSpec, read
from tests.local.clone import REPOSITORY

BIG_BLUE = {"BigBlue": SelfHostedKind.model_validate({"httpName": "bbb", "links": [{"path": "/{id}"}]})}
PLATFORMS = Platforms(kinds=BIG_BLUE)
LINK = "https://zoom.us/j/1234567890?pwd=abc"


def session(status: dict[str, Any] | None = None, **spec: Any) -> SessionObject:
    uid = "01234567-89ab-cdef-0123-456789abcdef"
    meta: dict[str, Any] = {"name": "a", "namespace": "team-a", "uid": uid, "creationTimestamp": "2026-11-23T10:00:00Z"}
    meta["annotations"] = {"meetingbuddy.io/created-by": "jane"}
    document = {"metadata": meta, "spec": {"meetingLink": LINK, **spec}, "status": status or {}}
    return session_object(read(document)[0], PLATFORMS, created_by_is_guarded=True)


def test_every_field_of_the_spec_but_leave_can_be_said() -> None:
    expected = set(MeetingSessionSpec.model_fields) - {"leave", "transcription"}
    flat = {"transcription_enabled", "transcription_language", "transcription_vocabulary"}
    assert set(SessionRequest.model_fields) == expected | flat


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"\\ud800": 1}', "a name in the body is no Unicode text"),
        (b"[1]", "the body is JSON, but no object"),
        (b'"\\ud800"', "the body is JSON, but no object"),
        (b"{", "the body is not JSON"),
    ],
)
async def test_what_is_no_request_is_named(body: bytes, detail: str) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", b"Bearer x"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": SESSIONS, "raw_path": SESSIONS.encode(), "headers": headers}
    nobody: Any = None
    await build(nobody, nobody, nobody)(scope | {"query_string": b"", "state": {}}, receive, send)
    found = json.loads(sent[1]["body"])
    assert (sent[0]["status"], found["detail"]) == (400, detail)


def test_what_was_not_said_is_left_to_the_crd() -> None:
    said = {
        "meeting_link": LINK,
        "platform": "zoom",
        "transcription_language": "de",
        "recording": {"frame_rate": 5},
        "passcode_secret_ref": {"name": "a"},
        "announcement": None,
        "limits": {"silence_seconds": None},
    }
    spec = spec_of(SessionRequest.model_validate(said))
    assert spec == {
        "meetingLink": LINK,
        "transcription": {"language": "de"},
        "recording": {"frameRate": 5},
        "passcodeSecretRef": {"name": "a"},
        "limits": {},
    }
    MeetingSessionSpec.model_validate(spec, extra="forbid")


def test_defaults_are_the_crds_own() -> None:
    made = SessionRequest.model_validate({"meeting_link": LINK}).model_dump()
    stored = MeetingSessionSpec(meeting_link=LINK).model_dump(exclude={"leave", "transcription", "platform"})
    assert {name: made[name] for name in stored} == stored
    assert (made["transcription_enabled"], made["transcription_language"]) == (True, "en")


@pytest.mark.parametrize("body", [{"leave": True}, {"botName": "a"}, {"debug_mode": "true"}, {"metadata": {"a": 1}}])
def test_nothing_is_guessed(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SessionRequest.model_validate({"meeting_link": LINK, **body})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("spec.meetingLink", "meeting_link"),
        ("spec.transcription.language", "transcription_language"),
        ("spec.transcription.vocabulary[3]", "transcription_vocabulary.3"),
        ("spec.limits.waitingRoomSeconds", "limits.waiting_room_seconds"),
        ("spec.metadata.someKey", "metadata.someKey"),
        ("spec", "spec"),
    ],
)
def test_fields_of_the_cr_have_names_here(path: str, name: str) -> None:
    assert http_field(path) == name


def test_no_description_speaks_camel_case() -> None:
    for name, info in SessionRequest.model_fields.items():
        assert not re.search(r"\bspec\.|\b[a-z]+[A-Z]", info.description or ""), name


def test_the_readme_has_the_documented_call_every_field_and_every_problem() -> None:
    readme = (REPOSITORY / "operator" / "meeting_buddy" / "http_api" / "README.md").read_text()
    assert f"-d '{json.dumps(EXAMPLE)}'" in readme
    fields = {*SessionRequest.model_fields, *SessionObject.model_fields}
    assert not [each for each in (*fields, *KINDS) if f"`{each}`" not in readme]


def test_a_fresh_session_is_initializing_and_knows_its_platform() -> None:
    found = session().model_dump(mode="json")
    known = {name for name, value in found.items() if value is not None}
    nulls = {
        *("join_timestamp", "leave_timestamp", "total_duration_seconds", "segment_count", "audio_file_count"),
        *("video_file_count", "total_size_bytes", "output_directory", "error_message", "error_code"),
        *("current_participants", "participant_history", "start_time", "end_time"),
    }
    assert set(found) - known == nulls
    assert (found["status"], found["platform"], found["user_id"]) == ("initializing", "zoom", "jane")
    assert found["created_at"] == found["updated_at"] == "2026-11-23T10:00:00.000Z"


def test_times_are_sent_as_rfc_3339_and_shown_in_utc() -> None:
    said = {"start_time": "2026-11-30T10:00:00+01:00", "end_time": "2026-11-30T10:00:00Z"}
    more = {"starting_deadline_seconds": 0, "ttl_seconds_after_finished": 60}
    spec = spec_of(SessionRequest.model_validate({"meeting_link": LINK, **said, **more}))
    times = {"startTime": "2026-11-30T09:00:00.000Z", "endTime": "2026-11-30T10:00:00.000Z"}
    assert spec == {"meetingLink": LINK, **times, "startingDeadlineSeconds": 0, "ttlSecondsAfterFinished": 60}
    found = session({"phase": "Scheduled"}, **times).model_dump(mode="json")
    assert (found["status"], found["start_time"], found["end_time"]) == ("scheduled", *times.values())


@pytest.mark.parametrize("moment", ["monday", "2026-11-30", "2026-11-30T10:00:00", "0001-01-01T00:00:00Z", 1790000000])
def test_what_is_no_time_is_refused(moment: object) -> None:
    with pytest.raises(ValidationError):
        SessionRequest.model_validate({"meeting_link": LINK, "start_time": moment})


def test_statuses_and_reasons_are_spelled_in_snake_case() -> None:
    assert set(STATUSES.values()) == set(Phase)
    failed = session({"phase": "Failed", "reason": "NotAdmitted", "message": "Ask the host."})
    assert (failed.status, failed.error_code, failed.error_message) == ("failed", "not_admitted", "Ask the host.")
    done = session({"phase": "Completed", "reason": "MeetingEnded", "message": "2 segments"})
    assert (done.status, done.error_code, done.error_message) == ("completed", None, None)


def test_updated_at_is_the_last_transition() -> None:
    condition = {"type": "Joined", "status": "True", "reason": "A", "lastTransitionTime": "2026-11-23T11:00:00Z"}
    assert session({"conditions": [condition]}).model_dump(mode="json")["updated_at"] == "2026-11-23T11:00:00.000Z"


def test_participants() -> None:
    at = "2026-11-23T10:{:02}:00Z".format
    left = [{"name": f"L{n}", "joinedAt": at(n), "leftAt": at(n + 1)} for n in range(50)]
    here = [{"name": "Here", "joinedAt": at(55)}, {"name": "Unknown when"}]
    found = session({"currentParticipants": here, "participantCount": 7, "participantHistory": left})
    assert found.current_participants is not None
    assert found.current_participants.count == 7
    assert [each.name for each in found.current_participants.participants] == ["Here", "Unknown when"]
    history = found.participant_history or []
    assert len(history) == MAX_HISTORY
    assert (history[-1].name, history[-1].event) == ("Here", "joined")
    assert [each.at for each in history] == sorted(each.at for each in history)


def test_platforms_go_by_their_http_names() -> None:
    assert PLATFORMS.names() == {
        "teams": "Teams",
        "zoom": "Zoom",
        "google_meet": "GoogleMeet",
        "webex": "Webex",
        "bbb": "BigBlue",
    }
    assert session(platform="BigBlue").platform == "bbb"
    assert session({"platform": "NeverHeardOf"}).platform == "never_heard_of"
