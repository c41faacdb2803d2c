"""Conditions: each function on its own, and what all of them together promise to tools."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from typing import Any, ClassVar, get_args, get_type_hints

import pytest

from meeting_buddy.contract.phases import PHASES, Phase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain import conditions, status
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import PodCondition, SessionFacts, StreamFacts
from meeting_buddy.domain.plan import PatchStatus
from meeting_buddy.domain.snapshot import Snapshot
from meeting_buddy.resource.bot_class import BotClass, Transcription
from meeting_buddy.resource.session import MeetingSessionStatus
from meeting_buddy_bot.checks import media_received
from meeting_buddy_bot.transcription.engine import EngineError
from tests.local.clone import REPOSITORY
from tests.support import operator_facts as make
from tests.support.operator_facts import NOW, later


def _section(name: str) -> str:
    return (REPOSITORY / "crds/README.md").read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]


NO_ENGINE = make.CLASS.model_copy(update={"transcription": Transcription(model=None)})


def snapshot(phase: Phase = Phase.RECORDING, **fields: Any) -> Snapshot:
    known = {"session": make.session(), "pod": make.READY_POD, "report": make.joined(), "stream": None, "now": NOW}
    found = {**known, **fields}
    pods = (found["pod"],) if found["pod"] is not None else ()
    installation = replace(make.INSTALLATION, bot_class=found.get("bot_class", make.CLASS))
    facts = make.facts(
        found["session"], *pods, stream=found["stream"], report=found["report"], installation=installation
    )
    reason = {Phase.COMPLETED: Reason.MEETING_ENDED, Phase.FAILED: Reason.BOT_CRASHED}.get(phase)
    return replace(Snapshot.of(facts, found["session"], found["now"]), phase=phase, reason=reason, has_bot=True)


def said(found: Snapshot) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in conditions.compute(found)}


@pytest.mark.parametrize("phase", list(Phase))
def test_the_kstatus_trio_follows_the_phase_table(phase: Phase) -> None:
    found, facts = said(snapshot(phase)), PHASES[phase]
    assert found["Ready"][0] == str(facts.ready)
    assert ("Reconciling" in found, "Stalled" in found) == (facts.reconciling, facts.stalled)
    assert ("Complete" in found, "Failed" in found) == (phase is Phase.COMPLETED, phase is Phase.FAILED)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("True", "InMeeting")),
        ({"report": make.joined(waiting="WaitingRoom")}, ("False", "WaitingRoom")),
        ({"report": make.joined(waiting="Rejoining")}, ("False", "Rejoining")),
        ({"report": make.joined("Leaving", leftAt="2026-11-23T10:05:00Z")}, ("False", "Left")),
        ({"report": make.report(waiting="Connecting")}, ("True", "InMeeting")),  # older than the pod's readiness
        ({"report": make.report(waiting="Connecting"), "pod": make.RUNNING_POD}, ("False", "Connecting")),
        ({"report": None}, ("True", "InMeeting")),
        ({"report": None, "pod": make.RUNNING_POD}, ("False", "Connecting")),
        ({"phase": Phase.FAILED}, ("False", "Left")),
        ({"phase": Phase.FAILED, "report": None, "pod": make.RUNNING_POD}, ("False", "NeverJoined")),
    ],
)
def test_joined(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    assert said(snapshot(**fields))["Joined"] == expected


def test_a_bot_that_was_in_the_meeting_and_cannot_be_heard_is_unknown() -> None:
    known = make.session({"joinTimestamp": "2026-11-23T10:00:20Z"})
    cut = snapshot(session=known, pod=make.RUNNING_POD, stream=StreamFacts(False, later(-60)))
    assert said(cut)["Joined"] == ("Unknown", "BotUnreachable")


def test_recording_is_true_only_while_media_is_written() -> None:
    assert said(snapshot(Phase.RECORDING))["Recording"] == ("True", "Writing")
    assert said(snapshot(Phase.ACTIVE))["Recording"] == ("False", "NotStarted")
    assert said(snapshot(session=make.session(recording={"enabled": False})))["Recording"] == ("False", "NotRequested")


def messages(found: Snapshot) -> dict[str, str]:
    return {each.type: each.message for each in conditions.compute(found)}


def test_nothing_is_recorded_while_the_volume_does_not_answer() -> None:
    silent = snapshot(report=make.joined(storageUnresponsive=True))
    assert said(silent)["Recording"] == ("False", "StorageUnresponsive")
    assert (said(silent)["Ready"][0], messages(silent)["Ready"]) == ("True", "In the meeting; see condition Recording.")
    assert said(snapshot(Phase.LEAVING, report=make.joined(storageUnresponsive=True)))["Recording"][1] == "Ended"


def test_a_volume_that_answers_no_more_is_written_at_once() -> None:
    before, after = status.compose(snapshot()), status.compose(snapshot(report=make.joined(storageUnresponsive=True)))
    assert status.needs_immediate_write(before, after)


@pytest.mark.parametrize("waiting", ["Rejoining", "WaitingRoom"])
@pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.RECORDING])
def test_ready_says_in_the_meeting_of_no_bot_that_waits_outside(phase: Phase, waiting: str) -> None:
    outside = snapshot(phase, report=make.joined(waiting=waiting))
    assert (said(outside)["Ready"][0], messages(outside)["Ready"]) == ("True", "See condition Joined.")
    assert messages(snapshot(phase))["Ready"] == PHASES[phase].meaning


def test_a_bot_that_recorded_segments_was_in_the_meeting() -> None:
    recorded = make.report("Ended", recording={"segments": 3, "verified": True})
    known = make.session({"segmentCount": 3})
    for found in ({"report": recorded}, {"report": None, "session": known}):
        assert said(snapshot(Phase.FAILED, pod=make.RUNNING_POD, **found))["Joined"] == ("False", "Left")


def test_a_class_that_is_gone_says_nothing_of_its_engine() -> None:
    assert "Transcribed" not in said(snapshot(bot_class=None))


LIVE = {"type": "Transcribed", "status": "True", "reason": "Live", "lastTransitionTime": "2026-11-23T10:00:30Z"}


def test_a_transcript_is_incomplete_while_nobody_goes_on_with_it() -> None:
    live = make.session({"conditions": [LIVE]})
    ended = snapshot(Phase.LEAVING, session=live, report=None)
    assert said(replace(ended, reason=Reason.BOT_CRASHED))["Transcribed"] == ("False", "Incomplete")
    leaves = snapshot(Phase.LEAVING, session=live, report=make.joined("Leaving", transcription={"state": "Live"}))
    assert said(leaves)["Transcribed"] == ("True", "Live"), "the bot is about to finish it"
    between = status.next_attempt(snapshot(session=live), Reason.EVICTED, NOW, "drained", rejoins=True)
    assert [(each.status, each.reason) for each in between.conditions or () if each.type == "Transcribed"] == [
        ("False", "Incomplete")
    ]


def test_a_transcript_that_had_not_begun_is_not_incomplete_before_the_next_bot() -> None:
    starting = make.session({"conditions": [{**LIVE, "status": "Unknown", "reason": "Starting"}]})
    lobby = snapshot(Phase.JOINING, session=starting, report=make.report(), pod=make.RUNNING_POD)
    between = status.next_attempt(lobby, Reason.PAGE_UNREACHABLE, NOW, "no DNS", rejoins=False)
    assert [each.reason for each in between.conditions or () if each.type == "Transcribed"] == ["Starting"]


def test_ready_of_a_completed_session_has_the_lines_that_were_told_before() -> None:
    told = make.session({"transcriptLineCount": 40}, recording={"enabled": False})
    for report in (None, make.joined("Ended")):
        assert messages(snapshot(Phase.COMPLETED, session=told, report=report))["Ready"] == "a transcript of 40 lines"


def test_transcribed_says_no_engine_unless_nobody_asked_for_text() -> None:
    assert said(snapshot(bot_class=NO_ENGINE))["Transcribed"] == ("False", "NoEngine")
    assert "Transcribed" not in said(snapshot())  # the bot has not begun to
    assert "Transcribed" not in said(snapshot(session=make.session(transcription={"enabled": False})))


@pytest.mark.parametrize(
    ("transcription", "expected"),
    [
        ({"state": "Starting"}, ("Unknown", "Starting")),
        ({"state": "Live", "lines": 3}, ("True", "Live")),
        ({"state": "Lagging", "lagSeconds": 20.5}, ("False", "Lagging")),
        ({"state": "Failed", "reason": "NoModel", "message": "mount one"}, ("False", "NoModel")),
        ({"state": "Failed", "reason": "LanguageNotSupported"}, ("False", "LanguageNotSupported")),
        ({"state": "Done"}, ("True", "Done")),
        ({"state": "Done", "reason": "Incomplete"}, ("False", "Incomplete")),
        ({"state": "Done", "reason": "VerificationFailed"}, ("False", "VerificationFailed")),
    ],
)
def test_transcribed_says_how_the_text_is_doing(transcription: dict[str, Any], expected: tuple[str, str]) -> None:
    assert said(snapshot(report=make.joined(transcription=transcription)))["Transcribed"] == expected


@pytest.mark.parametrize("state", ["Starting", "Live", "Lagging"])
def test_a_transcript_that_was_never_finished_is_incomplete_after_the_end(state: str) -> None:
    report = make.joined(transcription={"state": state, "lines": 3})
    assert said(snapshot(Phase.FAILED, report=report))["Transcribed"] == ("False", "Incomplete")
    before = {"type": "Transcribed", "status": "True", "reason": "Live", "lastTransitionTime": "2026-11-23T10:00:30Z"}
    vanished = snapshot(Phase.FAILED, session=make.session({"conditions": [before]}), report=None, pod=None)
    assert said(vanished)["Transcribed"] == ("False", "Incomplete")


@pytest.mark.parametrize(
    ("transcription", "expected"),
    [
        ({"state": "Off"}, (None, None)),
        ({"state": "Starting"}, (0, None)),
        ({"state": "Live", "lines": 12, "lagSeconds": 3.14159}, (12, 3.1)),
        ({"state": "Done", "lines": 15}, (15, None)),
        ({"state": "Off", "lines": 812}, (812, None)),  # a state of another version
        ({"state": "Live", "lines": -1, "lagSeconds": -0.5}, (0, 0.0)),
        ({"state": "Live", "lagSeconds": float("nan")}, (0, None)),
        ({"state": "Live", "lagSeconds": float("inf")}, (0, None)),
    ],
)
def test_the_status_counts_lines_and_says_how_far_they_are_behind(
    transcription: dict[str, Any], expected: tuple[int | None, float | None]
) -> None:
    found = status.compose(snapshot(report=make.joined(transcription=transcription)))
    assert (found.transcript_line_count, found.transcript_lag_seconds) == expected


def test_a_status_that_is_final_has_all_lines_and_no_lag() -> None:
    live = make.joined(transcription={"state": "Live", "lines": 12, "lagSeconds": 3})
    before = status.compose(snapshot(report=live))
    known = replace(make.session(), status=before)
    killed = status.compose(snapshot(Phase.FAILED, session=known, report=live))
    assert (killed.transcript_line_count, killed.transcript_lag_seconds) == (12, None)
    assert status.merge_patch(before, killed)["transcriptLagSeconds"] is None
    done = make.joined("Ended", transcription={"state": "Done", "lines": 14})
    assert status.compose(snapshot(Phase.COMPLETED, session=known, report=done)).transcript_line_count == 14


def test_a_transcript_that_goes_on_waits_for_the_next_write() -> None:
    def at(**transcription: Any) -> MeetingSessionStatus:
        return status.compose(snapshot(report=make.joined(transcription=transcription)))

    live = at(state="Live", lines=3, lagSeconds=1.0)
    for later_on in (at(state="Live", lines=9, lagSeconds=4.0), at(state="Lagging", lines=9, lagSeconds=40.0)):
        assert status.merge_patch(live, later_on) != {}
        assert not status.needs_immediate_write(live, later_on)
    assert not status.needs_immediate_write(at(state="Starting"), live)
    assert status.needs_immediate_write(live, at(state="Failed", reason="LanguageNotSupported"))


@pytest.mark.parametrize(
    ("recording", "transcription", "bot_class", "expected"),
    [
        (True, True, make.CLASS, True),
        (False, True, make.CLASS, True),
        (False, False, make.CLASS, False),
        (False, True, NO_ENGINE, False),
        (True, True, NO_ENGINE, True),
        (False, True, None, False),
    ],
)
def test_the_output_directory_is_there_when_something_is_kept_in_it(
    recording: bool, transcription: bool, bot_class: BotClass | None, expected: bool
) -> None:
    session = make.session(recording={"enabled": recording}, transcription={"enabled": transcription})
    found = status.compose(snapshot(session=session, bot_class=bot_class))
    assert (found.output_directory is not None) is expected


@pytest.mark.parametrize(
    ("transcription", "result"),
    [
        ({"state": "Off"}, None),
        ({"state": "Done", "lines": 3}, "Complete"),
        ({"state": "Done", "reason": "Incomplete"}, "Incomplete"),
        ({"state": "Done", "reason": "VerificationFailed"}, "VerificationFailed"),
        ({"state": "Live"}, "Incomplete"),
        ({"state": "Failed", "reason": "NoModel"}, "Failed"),
        ({"state": "Failed", "reason": "anything that a bot says"}, "Failed"),
    ],
)
def test_the_result_of_a_transcript_is_one_of_four_words(transcription: dict[str, Any], result: str | None) -> None:
    found = snapshot(Phase.COMPLETED, report=make.joined("Ended", transcription=transcription), bot_class=NO_ENGINE)
    assert status.transcript_result(status.compose(found)) == result


def test_transcribed_stays_as_it_was_while_no_report_is_known() -> None:
    before = {"type": "Transcribed", "status": "True", "reason": "Live", "lastTransitionTime": "2026-11-23T10:00:30Z"}
    assert said(snapshot(session=make.session({"conditions": [before]}), report=None))["Transcribed"] == (
        "True",
        "Live",
    )


def test_a_short_cut_of_the_stream_is_nobodys_business() -> None:
    assert "Reporting" not in said(snapshot(stream=StreamFacts(False, later(-5))))
    assert said(snapshot(stream=StreamFacts(False, later(-11))))["Reporting"] == ("Unknown", "BotUnreachable")


def test_pressure_is_present_only_while_it_applies() -> None:
    assert said(snapshot(report=make.joined(memoryPressure=True)))["MemoryPressure"][0] == "True"
    assert "MemoryPressure" not in said(snapshot())
    assert "StoragePressure" not in said(snapshot(Phase.COMPLETED, report=make.joined(storagePressure=True)))


def test_a_volume_that_does_not_answer_says_so() -> None:
    found = said(snapshot(report=make.joined(storageUnresponsive=True, storagePressure=True)))
    assert found["StoragePressure"] == ("True", "Unresponsive")


def test_media_that_does_not_arrive_is_false_and_silence_is_unknown() -> None:
    media = {
        "audio": {"received": False, "reason": "SilentWhileSpeaking"},
        "video": {"received": None, "reason": "NoPicture"},
    }
    found = said(snapshot(report=make.joined(media=media)))
    assert found["AudioReceived"] == ("False", "SilentWhileSpeaking")
    assert found["VideoReceived"] == ("Unknown", "NoPicture")
    assert "AudioReceived" not in said(snapshot(report=make.report()))


def test_after_the_end_the_last_report_says_whether_media_arrived() -> None:
    media = {"audio": {"received": True, "reason": "Heard"}, "video": {"received": True, "reason": "Advancing"}}
    found = said(snapshot(Phase.COMPLETED, report=make.joined("Ended", media=media)))
    assert (found["AudioReceived"], found["VideoReceived"]) == (("True", "Heard"), ("True", "Advancing"))


@pytest.mark.parametrize("received", [True, False])
def test_out_of_the_call_nobody_knows_whether_media_arrives(received: bool) -> None:
    media = {each: {"received": received, "reason": "AsBefore"} for each in ("audio", "video")}
    report = make.joined(media=media, waiting="Rejoining")
    found = said(snapshot(report=report))
    assert (found["AudioReceived"], found["VideoReceived"]) == (("Unknown", "NotInMeeting"),) * 2
    killed = said(snapshot(Phase.COMPLETED, report=report))  # it does not come back: what was last known
    assert killed["AudioReceived"] == (str(received), "AsBefore")


@pytest.mark.parametrize(("received", "loud"), [(True, False), (None, False), (False, True)])
def test_only_media_that_does_not_arrive_is_written_at_once(received: bool | None, loud: bool) -> None:
    before = status.compose(snapshot())
    report = make.joined(media={"audio": {"received": received, "reason": "Whatever"}})
    after = status.compose(snapshot(report=report))
    assert status.needs_immediate_write(before, after) is loud


def test_ready_of_a_completed_session_says_what_it_left() -> None:
    stored = {"segments": 2, "bytes": 1_700_000, "verified": True}
    for recording, message in ((stored, "2 segments, 1.7 MB, verified"), ({"verified": True}, "nothing was stored")):
        [ready] = [
            each
            for each in conditions.compute(snapshot(Phase.COMPLETED, report=make.joined(recording=recording)))
            if each.type == "Ready"
        ]
        assert ready.message == message


@pytest.mark.parametrize(
    ("segments", "lines", "message"),
    [
        (2, 3, "2 segments, 1.7 MB, verified; a transcript of 3 lines"),
        (0, 1, "a transcript of 1 line"),
        (0, 0, "nothing was stored"),
    ],
)
def test_ready_of_a_completed_session_says_how_much_text_there_is(segments: int, lines: int, message: str) -> None:
    recording = {"segments": segments, "bytes": 1_700_000, "verified": True}
    report = make.joined("Ended", recording=recording, transcription={"state": "Done", "lines": lines})
    found = {each.type: each for each in conditions.compute(snapshot(Phase.COMPLETED, report=report))}
    assert found["Ready"].message == message


def test_a_refused_bot_class_is_a_condition_of_its_sessions() -> None:
    found = snapshot(Phase.INITIALIZING, pod=None, report=None)
    refused = replace(found.facts.installation, class_refusal='pods "x" is forbidden: violates PodSecurity')
    assert "BotClassAccepted" not in said(found)
    condition = replace(found, facts=replace(found.facts, installation=refused))
    assert said(condition)["BotClassAccepted"] == ("False", "Refused")


def with_table_fault(found: Snapshot) -> Snapshot:
    return replace(found, facts=replace(found.facts, installation=make.BAD_TABLE))


def after_status_of(found: Snapshot) -> SessionFacts:
    return replace(found.session, status=status.compose(found))


def test_a_bad_override_is_a_condition_of_new_sessions_and_names_the_field() -> None:
    new = snapshot(Phase.INITIALIZING, pod=None, report=None)
    assert "PlatformTable" not in said(new)
    found = {each.type: each for each in conditions.compute(with_table_fault(new))}["PlatformTable"]
    assert (found.status, found.reason) == ("False", "OverrideInvalid")
    assert "steps.prepend.0.do" in found.message


def test_a_session_that_runs_keeps_its_table_and_what_was_said_of_it() -> None:
    new = snapshot(Phase.INITIALIZING, pod=None, report=None)
    good, bad = after_status_of(new), after_status_of(with_table_fault(new))
    assert "PlatformTable" not in said(with_table_fault(snapshot(session=good)))
    assert said(snapshot(session=bad))["PlatformTable"] == ("False", "OverrideInvalid")
    assert said(snapshot(Phase.COMPLETED, session=bad))["PlatformTable"] == ("False", "OverrideInvalid")


def test_a_session_that_never_had_a_bot_says_nothing_of_tables() -> None:
    refused = replace(snapshot(Phase.FAILED, pod=None, report=None), has_bot=False)
    assert "PlatformTable" not in said(with_table_fault(refused))


def test_a_bad_override_is_written_once() -> None:
    first = decide(make.facts(make.session(), installation=make.BAD_TABLE), lambda: NOW)
    [patch] = [dict(action.patch) for action in first.actions if isinstance(action, PatchStatus)]
    assert "OverrideInvalid" in str(patch["conditions"])
    again = make.facts(make.session(patch), make.PENDING_POD, installation=make.BAD_TABLE)
    assert decide(again, lambda: later(1)).actions == ()


def test_sandboxed_is_what_the_bot_saw() -> None:
    assert said(snapshot(report=make.joined(browser={"sandbox": "seccomp"})))["Sandboxed"] == ("True", "Seccomp")
    assert said(snapshot(report=make.joined(browser={"sandbox": "none"})))["Sandboxed"] == ("False", "NoSandbox")
    assert "Sandboxed" not in said(snapshot())


def test_pod_scheduled_is_copied_and_outlives_the_pod() -> None:
    pod = replace(make.PENDING_POD, scheduled=PodCondition("False", "Unschedulable", "no room"))
    first = snapshot(Phase.INITIALIZING, pod=pod)
    assert said(first)["PodScheduled"] == ("False", "Unschedulable")
    after = make.session().status.model_copy(update={"conditions": conditions.compute(first)})
    assert said(snapshot(session=replace(make.session(), status=after), pod=None))["PodScheduled"][1] == "Unschedulable"


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    before = conditions.compute(snapshot())
    known = make.session().status.model_copy(update={"conditions": before})
    after = conditions.compute(
        snapshot(session=replace(make.session(), status=known), now=later(99), phase=Phase.LEAVING)
    )
    times = {each.type: each.last_transition_time for each in after}
    assert times["Joined"] == NOW
    assert times["Ready"] == later(99)


def test_a_status_that_says_the_same_needs_no_patch() -> None:
    first = status.compose(snapshot())
    again = status.compose(snapshot(session=replace(make.session(), status=first), now=later(5)))
    assert status.merge_patch(first, again) == {}


def test_a_patch_removes_what_is_not_known_any_more() -> None:
    before = MeetingSessionStatus(message="waiting", node="node1")
    assert status.merge_patch(before, before.model_copy(update={"message": None})) == {"message": None}


@pytest.mark.parametrize(
    ("change", "loud"),
    [
        ({"phase": "Recording"}, True),
        ({"leaveRequestedAt": "2026-11-23T10:00:00Z"}, True),
        ({"segmentCount": 9}, False),
        ({"node": "node1"}, False),
        ({"duration": "3m1s"}, False),
    ],
)
def test_only_what_people_wait_for_is_written_at_once(change: dict[str, Any], loud: bool) -> None:
    before = MeetingSessionStatus(phase=Phase.ACTIVE)
    after = MeetingSessionStatus.model_validate({"phase": "Active", **change})
    assert status.needs_immediate_write(before, after) is loud


@pytest.mark.parametrize(
    ("kind", "old", "new", "loud"),
    [
        ("Reporting", None, ("Unknown", "BotUnreachable"), True),
        ("Reporting", ("Unknown", "BotUnreachable"), ("True", "Connected"), False),
        ("PodScheduled", None, ("True", "Scheduled"), False),
        ("PodScheduled", None, ("False", "Unschedulable"), True),
        ("Joined", ("False", "Connecting"), ("False", "WaitingRoom"), True),
        ("Joined", ("True", "InMeeting"), ("False", "Rejoining"), True),
        ("Joined", ("True", "InMeeting"), ("False", "Left"), False),
    ],
)
def test_bad_news_is_loud_and_good_news_about_details_waits(
    kind: str, old: tuple[str, str] | None, new: tuple[str, str], loud: bool
) -> None:
    def known(found: tuple[str, str] | None) -> MeetingSessionStatus:
        entries = [
            {"type": kind, "status": each[0], "reason": each[1], "lastTransitionTime": "2026-11-23T10:00:00Z"}
            for each in [found]
            if each is not None
        ]
        return MeetingSessionStatus.model_validate({"conditions": entries})

    assert status.needs_immediate_write(known(old), known(new)) is loud


@pytest.mark.parametrize(("seconds", "text"), [(9, "9s"), (62, "1m2s"), (3600, "1h0m"), (3725, "1h2m")])
def test_duration(seconds: int, text: str) -> None:
    assert status.duration(seconds) == text


def test_names_and_evidence_are_bounded() -> None:
    crowd = make.joined(
        people={"current": [{"name": f"{number} " + "x" * 400} for number in range(80)], "seen": 90},
        evidence=[f"{number:03}" + "e" * 400 for number in range(40)],
    )
    found = status.compose(snapshot(report=crowd))
    assert found.current_participants is not None
    assert (len(found.current_participants), found.participant_count, found.participant_history_count) == (50, 80, 90)
    assert all(len(each.name) <= 256 for each in found.current_participants)
    assert found.evidence is not None
    assert (len(found.evidence), len(found.evidence[0])) == (20, 256)


def test_a_meeting_that_no_bot_was_in_has_no_transcript() -> None:
    before = {
        "type": "Transcribed",
        "status": "Unknown",
        "reason": "Starting",
        "lastTransitionTime": "2026-11-23T10:00:30Z",
    }
    ended = make.report("Ended", reason="NotAdmitted")
    found = said(snapshot(Phase.FAILED, session=make.session({"conditions": [before]}), report=ended, pod=None))
    assert "Transcribed" not in found


class TestDocumentation:
    """`crds/README.md` tells people and machines what they may find."""

    TABLE: ClassVar = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.*?) \|", _section("Conditions"), re.MULTILINE)

    def test_each_condition_has_its_row(self) -> None:
        named = [kind for row in self.TABLE for kind in re.findall(r"`(\w+)`", row[0])]
        assert sorted(named) == sorted(conditions.CONDITIONS)
        description = MeetingSessionStatus.model_fields["conditions"].description or ""
        assert set(re.findall(r"\b[A-Z]\w+", description)) - {"Aspects"} == set(conditions.CONDITIONS)

    def test_each_reason_is_named(self) -> None:
        words = set(re.findall(r'Draft\("\w+", "(\w+)"', inspect.getsource(conditions)))
        words |= set(re.findall(r'reason="(\w+)"', inspect.getsource(media_received)))
        words |= {each.value for each in Waiting}
        words |= set(get_args(get_type_hints(EngineError.__init__)["reason"]))
        said = {word for row in self.TABLE for word in re.findall(r"`(\w+)`", row[1])}
        assert words <= said
