"""What the API server makes of a MeetingSession: defaults, refusals with a remedy, immutability, columns, selectors."""

from __future__ import annotations

import json
from http.client import BAD_REQUEST, UNPROCESSABLE_ENTITY
from typing import Any

import pytest

from tests.integration.crd import TEAMS_LINK, install_crd, session
from tests.local.cluster.api_client import ApiError
from tests.local.cluster.kubectl import Kubectl, KubectlError
from tests.support.links_corpus import Case, cases

pytestmark = pytest.mark.usefixtures("crd")


@pytest.fixture(scope="module")
def crd(kubectl: Kubectl) -> None:
    install_crd(kubectl)


def rejection(kubectl: Kubectl, manifest: dict[str, Any]) -> str:
    """What the server says to one that it does not take."""
    with pytest.raises(ApiError) as refused:
        accepted(kubectl, manifest)
    assert refused.value.status in (BAD_REQUEST, UNPROCESSABLE_ENTITY)
    return str(refused.value)


def accepted(kubectl: Kubectl, manifest: dict[str, Any]) -> dict[str, Any]:
    """The object as the server would cache it."""
    server = kubectl.in_namespace(manifest["metadata"]["namespace"]).api
    stored: dict[str, Any] = server.try_create("meetingsessions", manifest)
    return stored


def test_the_smallest_session_gets_every_default(kubectl: Kubectl) -> None:
    assert accepted(kubectl, session("small"))["spec"] == {
        "meetingLink": TEAMS_LINK,
        "botName": "Meeting Buddy",
        "transcription": {"enabled": True, "language": "en", "vocabulary": []},
        "recording": {"enabled": True, "video": "720p", "frameRate": 15},
        "leave": False,
        "limits": {
            "waitingRoomSeconds": 900,
            "nobodyCameSeconds": 1200,
            "everyoneLeftSeconds": 60,
            "onlyBotsSeconds": 300,
        },
        "activeDeadlineSeconds": 14400,
        "backoffLimit": 2,
        "onDisruption": "Fail",
        "botClassName": "default",
        "debugMode": False,
        "metadata": {},
    }


def test_a_half_given_object_is_filled_up(kubectl: Kubectl) -> None:
    spec = accepted(kubectl, session("half", {"meetingLink": TEAMS_LINK, "recording": {"video": "none"}}))["spec"]
    assert spec["recording"] == {"enabled": True, "video": "none", "frameRate": 15}


ACCEPTED: list[dict[str, Any]] = [
    {"meetingLink": "https://teams.microsoft.com/l/meetup-join/19:meeting_x@thread.v2/0?context=%7b%7d"},
    {"meetingLink": "HTTPS://Teams.Microsoft.com/meet/12345?p=AbC"},
    {"meetingLink": "https://us05web.zoom.us/j/81234567890?pwd=x.1"},
    {"meetingLink": "https://meet.google.com/abc-defg-hij"},
    {"meetingLink": "https://acme.webex.com/meet/jane"},
    {"meetingLink": TEAMS_LINK, "platform": "Teams"},
    {"meetingLink": "https://meet.example.org:8443/rooms/daily#secret", "platform": "LiveKit"},
    {"meetingLinkSecretRef": {"name": "board"}, "platform": "Zoom"},
    {"meetingLinkSecretRef": {"name": "board"}, "platform": "Zoom", "passcodeSecretRef": {"name": "board"}},
    {"meetingLink": TEAMS_LINK, "passcodeSecretRef": {"name": "board", "key": "PIN.txt"}},
    {"meetingLink": TEAMS_LINK, "transcription": {"language": "de-DE"}},
    {"meetingLink": TEAMS_LINK, "startTime": "2026-11-30T10:00:00+01:00"},
    {"meetingLink": TEAMS_LINK, "startTime": "2026-11-02T10:00:00Z", "startingDeadlineSeconds": 0},
    {"meetingLink": TEAMS_LINK, "startTime": "2026-11-30T11:00:00+02:00", "endTime": "2026-11-30T10:00:00Z"},
    {"meetingLink": TEAMS_LINK, "endTime": "2026-11-30T10:00:00.5Z", "ttlSecondsAfterFinished": 0},
    {"meetingLink": TEAMS_LINK, "backoffLimit": 10, "onDisruption": "Rejoin"},
    {"meetingLink": TEAMS_LINK, "botName": "Протокол 🤖"},
    {"meetingLink": TEAMS_LINK, "metadata": {f"key-{n}": "v" * 256 for n in range(32)}},
    {"meetingLink": TEAMS_LINK + "?x=" + "a" * (2048 - len(TEAMS_LINK) - 3)},
]


@pytest.mark.parametrize("spec", ACCEPTED, ids=lambda spec: json.dumps(spec)[:70])
def test_good_input_is_accepted(kubectl: Kubectl, spec: dict[str, Any]) -> None:
    accepted(kubectl, session("good", spec))


LINK = "spec.meetingLink"
ODD_TIMES = (
    "tomorrow",
    "2026-11-30T10:00:00",
    "2026-11-30T10:00:00z",
    "2026-11-30t10:00:00Z",
    "2026-11-30X10:00:00Z",
    "2026-11-30T10:00:00,5Z",
    "2026-11-30T10:00:00ZT",
    "2026-11-30T10:00:00+24:30",
    "2026-11-30T25:00:00Z",
    "0001-11-30T10:00:00Z",
    "1969-11-30T10:00:00Z",
    "9999-11-30T10:00:00Z",
)
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "spec", "set exactly one of spec.meetingLink and spec.meetingLinkSecretRef"),
    (
        {"meetingLink": TEAMS_LINK, "meetingLinkSecretRef": {"name": "x"}, "platform": "Teams"},
        "spec",
        "set exactly one of",
    ),
    ({"meetingLinkSecretRef": {"name": "x"}}, "spec.platform", "set spec.platform together with"),
    ({"meetingLinkSecretRef": {"name": "Not A Name"}, "platform": "Zoom"}, "spec.meetingLinkSecretRef.name", "match"),
    ({"meetingLink": TEAMS_LINK, "passcodeSecretRef": {"name": "Not A Name"}}, "spec.passcodeSecretRef.name", "match"),
    ({"meetingLink": TEAMS_LINK, "passcodeSecretRef": {"name": "x", "key": "a b"}}, "passcodeSecretRef.key", "match"),
    ({"meetingLink": TEAMS_LINK, "passcodeSecretRef": {"key": "x"}}, "spec.passcodeSecretRef.name", "Required"),
    ({"meetingLink": TEAMS_LINK, "backoffLimit": 11}, "spec.backoffLimit", "less than or equal to 10"),
    ({"meetingLink": TEAMS_LINK, "backoffLimit": -1}, "spec.backoffLimit", "greater than or equal to 0"),
    ({"meetingLink": TEAMS_LINK, "onDisruption": "Retry"}, "spec.onDisruption", "Unsupported value"),
    ({"passcodeSecretRef": {"name": "x"}}, "spec", "set exactly one of"),
    ({"meetingLink": "http://zoom.us/j/1234567890"}, LINK, "must be an https link of Teams, Zoom"),
    ({"meetingLink": "https://zoom.us:8443/j/1234567890"}, LINK, "without port"),
    ({"meetingLink": "https://zoom.us@evil.example/j/1234567890"}, LINK, "must be an https link of"),
    ({"meetingLink": "https://evil.example/teams.microsoft.com/meet/12345"}, LINK, "must be an https link of"),
    ({"meetingLink": "https://notzoom.us/j/1234567890"}, LINK, "must be an https link of"),
    ({"meetingLink": "https://127.0.0.1/j/1234567890"}, LINK, "must be an https link of"),
    ({"meetingLink": "https://meet.example.org/rooms/a"}, LINK, "for a self-hosted meeting set spec.platform"),
    ({"meetingLink": "https://localhost/rooms/a", "platform": "LiveKit"}, LINK, "dotted host name"),
    ({"meetingLink": "https://10.0.0.1/rooms/a", "platform": "LiveKit"}, LINK, "dotted host name"),
    ({"meetingLink": "https://u@meet.example.org/rooms/a", "platform": "LiveKit"}, LINK, "no user name"),
    ({"meetingLink": "https://xn--mt-hia.example.org/rooms/a", "platform": "LiveKit"}, LINK, "xn--"),
    (
        {"meetingLink": "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fteams.microsoft.com"},
        LINK,
        "copy the meeting's own link",
    ),
    ({"meetingLink": "https://www.google.com/url?q=https://zoom.us/j/1234567890"}, LINK, "copy the meeting's own link"),
    (
        {"meetingLink": "https://usg02.safelinks.protection.office365.us/?url=https%3A%2F%2Fteams.microsoft.com"},
        LINK,
        "copy the meeting's own link",
    ),
    (
        {
            "meetingLink": "https://statics.teams.cdn.office.net/evergreen-assets/safelinks/2/atp.html?url=https%3A%2F%2Fx"
        },
        LINK,
        "copy the meeting's own link",
    ),
    ({"meetingLink": TEAMS_LINK + "a" * 2048}, LINK, "Too long"),
    ({"meetingLink": TEAMS_LINK, "platform": "teams"}, "spec.platform", "should match"),
    ({"meetingLink": TEAMS_LINK, "announcement": "one\ntwo"}, "spec.announcement", "should match"),
    (
        {"meetingLink": TEAMS_LINK, "transcription": {"vocabulary": [""]}},
        "spec.transcription.vocabulary[0]",
        "at least 1",
    ),
    ({"meetingLink": TEAMS_LINK, "botName": ""}, "spec.botName", "at least 1"),
    ({"meetingLink": TEAMS_LINK, "botName": "a\tb"}, "spec.botName", "match"),
    ({"meetingLink": TEAMS_LINK, "botName": "x" * 65}, "spec.botName", "Too long"),
    ({"meetingLink": TEAMS_LINK, "transcription": {"language": "klingon"}}, "spec.transcription.language", "match"),
    ({"meetingLink": TEAMS_LINK, "recording": {"video": "4k"}}, "spec.recording.video", "Unsupported value"),
    ({"meetingLink": TEAMS_LINK, "recording": {"frameRate": 60}}, "spec.recording.frameRate", "less than or equal"),
    ({"meetingLink": TEAMS_LINK, "limits": {"waitingRoomSeconds": -1}}, "spec.limits.waitingRoomSeconds", "greater"),
    ({"meetingLink": TEAMS_LINK, "activeDeadlineSeconds": 5}, "spec.activeDeadlineSeconds", "greater than or equal"),
    *(({"meetingLink": TEAMS_LINK, "startTime": odd}, "spec.startTime", "should match") for odd in ODD_TIMES),
    ({"meetingLink": TEAMS_LINK, "endTime": "2027-02-30T10:00:00Z"}, "spec.endTime", "no day of the calendar"),
    ({"meetingLink": TEAMS_LINK, "endTime": 1790000000}, "spec.endTime", "must be of type"),
    (
        {"meetingLink": TEAMS_LINK, "startTime": "2026-11-30T10:00:00Z", "endTime": "2026-11-30T11:00:00+01:00"},
        "spec.endTime",
        "must be later than spec.startTime",
    ),
    (
        {"meetingLink": TEAMS_LINK, "startingDeadlineSeconds": 60},
        "spec.startingDeadlineSeconds",
        "counts from spec.startTime: set both, or leave it out",
    ),
    (
        {"meetingLink": TEAMS_LINK, "startTime": "2026-11-30T10:00:00Z", "startingDeadlineSeconds": -1},
        "spec.startingDeadlineSeconds",
        "greater than or equal",
    ),
    ({"meetingLink": TEAMS_LINK, "ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished", "greater than"),
    ({"meetingLink": TEAMS_LINK, "metadata": {str(n): "" for n in range(33)}}, "spec.metadata", "at most 32"),
    ({"meetingLink": TEAMS_LINK, "metadata": {"k": "v" * 257}}, "spec.metadata.k", "Too long"),
    ({"meetingLink": TEAMS_LINK, "metadata": {"k" * 257: "v"}}, "spec.metadata", "keys must have 1 to 256"),
    ({"meetingLink": TEAMS_LINK, "botClassName": "Not A Name"}, "spec.botClassName", "match"),
]


@pytest.mark.parametrize(("spec", "field", "remedy"), REFUSED, ids=[json.dumps(row[0])[:70] for row in REFUSED])
def test_wrong_input_is_refused_with_field_and_remedy(
    kubectl: Kubectl, spec: dict[str, Any], field: str, remedy: str
) -> None:
    message = rejection(kubectl, session("wrong", spec))
    assert field in message
    assert remedy in message


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.named or ''} {case.link}")
def test_the_links_of_the_corpus_pass_as_written_there(kubectl: Kubectl, case: Case) -> None:
    named = {"platform": str(case.named)} if case.named else {}
    manifest = session("corpus", {"meetingLink": case.link, **named})
    (accepted if case.gate else rejection)(kubectl, manifest)


def test_a_refusal_never_quotes_the_link(kubectl: Kubectl) -> None:
    link = "https://example.org/rooms/very-secret-passcode"
    manifest = json.dumps(session("secret", {"meetingLink": link}))
    run = kubectl.run("apply", "--dry-run=server", "--filename=-", stdin=manifest)
    assert LINK in run.stderr
    assert "very-secret-passcode" not in run.stderr


def test_a_misspelt_field_is_named(kubectl: Kubectl) -> None:
    manifest = session("typo", {"meetingLink": TEAMS_LINK, "botname": "x"})
    assert 'unknown field "spec.botname"' in rejection(kubectl, manifest)


def test_a_name_that_leaves_no_room_for_the_pod_is_refused(kubectl: Kubectl) -> None:
    assert "at most 52 characters" in rejection(kubectl, session("n" * 53))
    accepted(kubectl, session("n" * 52))


IMMUTABLE: list[tuple[str, Any]] = [
    ("platform", "Teams"),
    ("passcodeSecretRef", {"name": "other"}),
    ("transcription", {"language": "fr"}),
    ("recording", {"video": "none"}),
    ("limits", {"everyoneLeftSeconds": 5}),
    ("activeDeadlineSeconds", 600),
    ("botClassName", "other"),
    ("debugMode", True),
    ("metadata", {"team": "other"}),
    ("backoffLimit", 5),
    ("onDisruption", "Rejoin"),
]


@pytest.fixture
def stored(kubectl: Kubectl, request: pytest.FixtureRequest) -> Any:
    """A session that is really on the server, gone afterwards."""
    name = f"stored-{abs(hash(request.node.name)) % 10**8}"
    kubectl.create(session(name, {"meetingLink": TEAMS_LINK, "metadata": {"team": "red"}}))
    yield name
    kubectl("delete", "mbs", name)


@pytest.mark.parametrize(("field", "value"), IMMUTABLE, ids=[row[0] for row in IMMUTABLE])
def test_a_running_bot_cannot_change_so_the_field_is_immutable(
    kubectl: Kubectl, stored: str, field: str, value: Any
) -> None:
    with pytest.raises(KubectlError, match=f"spec.{field} cannot change once the session exists"):
        kubectl("patch", "mbs", stored, "--type=merge", "--patch", json.dumps({"spec": {field: value}}))


START, LATER = "2026-11-30T10:00:00Z", "2026-12-07T10:00:00Z"
UNTIL_BOT: list[tuple[str, Any]] = [
    ("startTime", LATER),
    ("startTime", None),
    ("startingDeadlineSeconds", 60),
    ("startingDeadlineSeconds", None),
    ("meetingLink", TEAMS_LINK + "/another-very-secret"),
    ("botName", "Other"),
]
ALWAYS: list[tuple[str, Any]] = [
    ("leave", True),
    ("endTime", LATER),
    ("endTime", None),
    ("ttlSecondsAfterFinished", 5),
    ("ttlSecondsAfterFinished", None),
]


@pytest.fixture
def timed(kubectl: Kubectl, request: pytest.FixtureRequest) -> Any:
    """A session with all its times that is really on the server, gone afterwards."""
    name = f"timed-{abs(hash(request.node.name)) % 10**8}"
    times = {"startTime": START, "startingDeadlineSeconds": 600, "endTime": "2026-11-30T11:00:00Z"}
    kubectl.create(session(name, {"meetingLink": TEAMS_LINK, **times, "ttlSecondsAfterFinished": 60}))
    yield name
    kubectl("delete", "mbs", name)


def without_deadline(field: str, value: Any) -> dict[str, Any]:
    """The change; a start that is taken away takes its deadline along, one that is moved away its end."""
    if field != "startTime":
        return {field: value}
    return {field: value, "startingDeadlineSeconds": None, "endTime": None}


def tried(kubectl: Kubectl, name: str, **spec: Any) -> str:
    """What the server says to a change that is only tried; empty: it is accepted."""
    patch = json.dumps({"spec": spec})
    run = kubectl.run("patch", "mbs", name, "--dry-run=server", "--type=merge", "--patch", patch)
    assert (run.returncode == 0) == (not run.stderr), run.stderr
    return run.stderr


@pytest.mark.parametrize("status", [{}, {"phase": "Scheduled"}, {"phase": "Initializing"}], ids=json.dumps)
def test_until_there_is_a_bot_its_meeting_and_start_may_change(
    kubectl: Kubectl, timed: str, status: dict[str, Any]
) -> None:
    if status:
        write_status(kubectl, timed, status)
    for field, value in UNTIL_BOT:
        assert tried(kubectl, timed, **without_deadline(field, value)) == "", field


OVER = {"phase": "Failed", "reason": "Missed", "completionTime": "2026-11-30T10:15:00Z"}


@pytest.mark.parametrize("status", [{"phase": "Initializing", "attempt": 1}, OVER], ids=["bot", "over"])
def test_once_there_is_a_bot_or_an_end_they_may_not_and_others_may(
    kubectl: Kubectl, timed: str, status: dict[str, Any]
) -> None:
    write_status(kubectl, timed, status)
    for field, value in UNTIL_BOT:
        message = tried(kubectl, timed, **without_deadline(field, value))
        assert f"spec.{field} cannot change once the bot was made (status.attempt) or the session has ended" in message
        assert "create a new MeetingSession instead" in message
        assert "very-secret" not in message
    for field, value in ALWAYS:
        assert tried(kubectl, timed, **{field: value}) == "", field
    write_status(kubectl, timed, {**status, "message": "statuses are written all the same"})


@pytest.mark.parametrize("spelled", ["2026-11-30T10:00:00+01:00", "2026-11-30T10:00:00.123456789Z"])
def test_whatever_time_is_accepted_lets_statuses_be_written(kubectl: Kubectl, stored: str, spelled: str) -> None:
    assert tried(kubectl, stored, startTime=spelled, endTime=LATER) == ""
    patch = json.dumps({"spec": {"startTime": spelled, "endTime": LATER}})
    kubectl("patch", "mbs", stored, "--type=merge", "--patch", patch)
    for message in ("the first", "the second"):
        write_status(kubectl, stored, {"phase": "Joining", "attempt": 1, "message": message})
    assert tried(kubectl, stored, leave=True) == ""


def test_once_there_is_a_bot_no_start_is_added(kubectl: Kubectl, stored: str) -> None:
    write_status(kubectl, stored, {"phase": "Joining", "attempt": 1})
    message = tried(kubectl, stored, startTime=START, startingDeadlineSeconds=60)
    for field in ("startTime", "startingDeadlineSeconds"):
        assert f"spec.{field} cannot change once the bot was made" in message


def test_a_change_meets_the_same_rules(kubectl: Kubectl, timed: str) -> None:
    assert "spec.endTime must be later than" in tried(kubectl, timed, endTime="2026-11-30T09:00:00Z")
    assert "must be an https link of Teams" in tried(kubectl, timed, meetingLink="http://zoom.us/j/1234567890")
    assert "set exactly one of" in tried(kubectl, timed, meetingLink=None)


OPTIONAL: list[tuple[str, Any]] = [("platform", "Teams"), ("passcodeSecretRef", {"name": "board"})]


@pytest.mark.parametrize(("field", "value"), OPTIONAL, ids=[row[0] for row in OPTIONAL])
def test_removing_an_optional_field_is_a_change_too(kubectl: Kubectl, field: str, value: Any) -> None:
    kubectl.create(session("with-option", {"meetingLink": TEAMS_LINK, field: value}))
    try:
        with pytest.raises(KubectlError, match=rf"spec\.{field} cannot change"):
            kubectl("patch", "mbs", "with-option", "--type=merge", "--patch", json.dumps({"spec": {field: None}}))
    finally:
        kubectl("delete", "mbs", "with-option")


def test_a_reference_to_a_secret_has_a_default_key(kubectl: Kubectl) -> None:
    references = {"meetingLinkSecretRef": {"name": "board"}, "passcodeSecretRef": {"name": "board"}}
    spec = accepted(kubectl, session("keys", {"platform": "Zoom", **references}))["spec"]
    assert spec["meetingLinkSecretRef"] == {"name": "board", "key": "link"}
    assert spec["passcodeSecretRef"] == {"name": "board", "key": "passcode"}


def test_leave_may_be_set_and_even_set_back(kubectl: Kubectl, stored: str) -> None:
    for leave in ("true", "false"):
        kubectl("patch", "mbs", stored, "--type=merge", f'--patch={{"spec":{{"leave":{leave}}}}}')
        assert kubectl("get", "mbs", stored, "--output=jsonpath={.spec.leave}") == leave


def test_applying_the_same_manifest_again_changes_nothing(kubectl: Kubectl, stored: str) -> None:
    before = kubectl.json("get", "mbs", stored)["metadata"]["generation"]
    kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--filename=-",
        stdin=json.dumps(session(stored, {"meetingLink": TEAMS_LINK, "metadata": {"team": "red"}})),
    )
    assert kubectl.json("get", "mbs", stored)["metadata"]["generation"] == before


def write_status(kubectl: Kubectl, name: str, status: dict[str, Any]) -> None:
    kubectl("patch", "mbs", name, "--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}))


def test_status_is_written_only_through_its_subresource(kubectl: Kubectl, stored: str) -> None:
    kubectl("patch", "mbs", stored, "--type=merge", '--patch={"status":{"phase":"Completed"}}')
    assert kubectl.json("get", "mbs", stored)["status"] == {"observedGeneration": -1}
    write_status(kubectl, stored, {"phase": "Joining"})
    assert kubectl("get", "mbs", stored, "--output=jsonpath={.status.phase}") == "Joining"


def test_status_holds_no_field_that_the_contract_does_not_name(kubectl: Kubectl, stored: str) -> None:
    write_status(kubectl, stored, {"phase": "Joining", "meetingLink": TEAMS_LINK})
    assert "meetingLink" not in kubectl.json("get", "mbs", stored)["status"]


@pytest.mark.parametrize("address", ["10.244.0.7", "fd00:10:244::7", "0000:0000:0000:0000:0000:ffff:192.168.100.228"])
def test_the_bots_address_is_kept_as_the_pod_has_it(kubectl: Kubectl, stored: str, address: str) -> None:
    write_status(kubectl, stored, {"phase": "Joining", "node": "node-1", "botAddress": address})
    assert kubectl.json("get", "mbs", stored)["status"]["botAddress"] == address


def test_a_phase_that_does_not_exist_cannot_be_written(kubectl: Kubectl, stored: str) -> None:
    with pytest.raises(KubectlError, match="Unsupported value"):
        write_status(kubectl, stored, {"phase": "Sleeping"})


def test_columns_tell_the_story(kubectl: Kubectl, stored: str) -> None:
    write_status(
        kubectl,
        stored,
        {
            "phase": "Recording",
            "platform": "Teams",
            "joinTimestamp": "2026-01-01T10:00:00Z",
            "duration": "1h2m",
            "segmentCount": 7,
            "reason": "EveryoneLeft",
            "botPod": "pod-1",
            "node": "node-1",
        },
    )
    header, row = kubectl("get", "mbs", stored).splitlines()
    assert header.split() == ["NAME", "PHASE", "PLATFORM", "JOINED", "DURATION", "SEGMENTS", "AGE"]
    assert row.split()[1:3] + row.split()[4:6] == ["Recording", "Teams", "1h2m", "7"]
    header, row = kubectl("get", "mbs", stored, "--output=wide").splitlines()
    assert header.split()[6:9] == ["REASON", "POD", "NODE"]
    assert row.split()[6:9] == ["EveryoneLeft", "pod-1", "node-1"]


def test_a_column_of_the_wide_table_has_the_start(kubectl: Kubectl, timed: str) -> None:
    write_status(kubectl, timed, {"phase": "Scheduled", "platform": "Teams"})
    header, row = kubectl("get", "mbs", timed, "--output=wide").splitlines()
    assert header.split()[-2:] == ["START", "AGE"]
    assert row.split()[-2] == START


def test_sessions_are_found_by_what_they_do(kubectl: Kubectl, stored: str) -> None:
    write_status(kubectl, stored, {"phase": "Leaving", "platform": "Webex", "sessionId": "mbsess_0123"})
    for selector in ("status.phase=Leaving", "status.platform=Webex", "status.sessionId=mbsess_0123"):
        found = kubectl("get", "mbs", f"--field-selector={selector}", "--output=name").split()
        assert found == [f"meetingsession.meetingbuddy.io/{stored}"]


def test_short_name_and_category_work(kubectl: Kubectl, stored: str) -> None:
    assert stored in kubectl("get", "mbs", "--output=name")
    assert stored in kubectl("get", "meetings", "--output=name")


def test_explain_describes_every_field(kubectl: Kubectl) -> None:
    fields = kubectl("explain", "mbs.spec", "--recursive")
    assert "meetingLinkSecretRef" in fields
    assert "passcodeSecretRef" in fields
    for field in (
        "spec.startTime",
        "spec.ttlSecondsAfterFinished",
        "spec.leave",
        "spec.limits.waitingRoomSeconds",
        "status.conditions",
        "spec.recording.video",
    ):
        text = kubectl("explain", f"mbs.{field}")
        assert "<no description>" not in text.partition("DESCRIPTION:")[2], field
