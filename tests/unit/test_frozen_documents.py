"""Operator and bots are upgraded one after the other: each reads what the version before it and the one after it write.

The documents in ``frozen/`` are never regenerated. ``*-previous.json`` is what the release before wrote.
``*-next.json`` is what a later one may write: another number, unknown fields on every level, unknown words in lists.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.identity import session_id
from meeting_buddy.contract.lenient import UnreadableError
from meeting_buddy.contract.phases import Phase, ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.contract.report_reader import ReportError, read_report
from meeting_buddy.controller.parsing import parse_session
from meeting_buddy.domain import pod_outcome
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.plan import PatchStatus
from meeting_buddy.resource.session import RecordingSpec
from meeting_buddy_bot.runtime.assignment_loader import AssignmentError, load_link, read_assignment
from meeting_buddy_bot.runtime.supervisor import Supervisor
from meeting_buddy_bot.session.context import SessionContext
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support.settings import Settings
from tests.support import operator_documents as documents
from tests.support import operator_facts as make

FROZEN = Path(__file__).parent / "frozen"


def text(name: str, **changes: Any) -> str:
    return json.dumps({**json.loads((FROZEN / f"{name}.json").read_text()), **changes})


class TestAssignment:
    @pytest.mark.parametrize(
        ("name", "finish", "left_out"),
        [("assignment-previous", 1800, ()), ("assignment-next", 600, ("step raise a hand", "signal preJoin"))],
    )
    def test_the_bot_reads_it(self, tmp_path: Path, name: str, finish: int, left_out: tuple[str, ...]) -> None:
        settings = Settings(assignment=tmp_path / "assignment.json")
        settings.assignment.write_text(text(name))
        found = read_assignment(settings)
        assert (found.attempt, found.finish_seconds, found.transcription.language) == (1, finish, "de")
        assert (len(found.table.steps), len(found.table.signals)) == (4, 8)
        assert found.left_out_of_table == left_out
        assert load_link(found, settings).host == "meet.buddy.test"

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"platform": "my jitsi"}, "platform"),
            ({"recording": {"video": "2160p"}}, "recording.video"),
            ({"table": {}}, "the platform's table: tableVersion: Field required"),
            ({"attempt": None}, "attempt"),
        ],
    )
    async def test_one_that_cannot_be_read_ends_the_session_with_the_fields_name(
        self, tmp_path: Path, changes: dict[str, Any], field: str
    ) -> None:
        await self.assert_config_invalid(tmp_path, text("assignment-next", **changes), field)

    async def test_one_that_is_no_json_does_too(self, tmp_path: Path) -> None:
        await self.assert_config_invalid(tmp_path, "{", "the document")

    async def assert_config_invalid(self, tmp_path: Path, document: str, words: str) -> None:
        settings = Settings(assignment=tmp_path / "assignment.json", termination_log=tmp_path / "termination-log")
        settings.assignment.write_text(document)
        with pytest.raises(AssignmentError, match=words):
            read_assignment(settings)
        assert await Supervisor(settings, never).run() == 0
        told = settings.termination_log.read_text()
        pod = make.terminated(make.ended(told), "Succeeded")
        outcome = pod_outcome.of_terminated_pod(pod, make.UID, leaving=False)
        assert outcome.reason is Reason.CONFIG_INVALID
        assert words in str(outcome.message)


async def never(_: SessionContext) -> SessionResult:
    raise AssertionError("a session began without an assignment")


class TestReport:
    def test_the_operator_reads_the_previous_one(self) -> None:
        found = read_report(text("report-previous"))
        assert (found.phase, found.reason, found.recording.segments) == (ReportPhase.ENDED, Reason.EVERYONE_LEFT, 83)
        assert found == Report.model_validate_json(text("report-previous"))

    def test_names_without_times_are_people_of_the_previous_one(self) -> None:
        found = read_report(text("report-previous", people={"current": ["Ann", "Bo"], "seen": 3}))
        assert [(each.name, each.joined_at) for each in found.people.current] == [("Ann", None), ("Bo", None)]
        assert (found.people.left, found.people.seen) == ((), 3)

    def test_people_that_cannot_be_read_cost_their_list_and_not_the_numbers(self) -> None:
        left = [{"name": "Ann", "leftAt": "yesterday"}]
        found = read_report(
            text("report-previous", people={"current": ["Bo", 7], "left": left, "seen": 3, "present": 2})
        )
        assert (found.people.current, found.people.left) == ((), ())
        assert (found.people.seen, found.people.present) == (3, 2)

    def test_of_the_next_one_all_counts_that_is_known(self) -> None:
        found = read_report(text("report-next"))
        known = read_report(text("report-previous"))
        for field in ("revision", "session_id", "joined_at", "left_at", "ever_joined", "browser", "media", "evidence"):
            assert getattr(found, field) == getattr(known, field)
        assert (found.recording.segments, found.recording.verified, found.recording.gaps) == (83, True, ())
        assert (found.people.seen, [each.name for each in found.people.current]) == (3, ["Ann"])
        assert (found.transcription.lines, found.transcription.state) == (812, "Off")
        assert (found.phase, found.reason, found.waiting) == (
            ReportPhase.ENDED,
            Reason.MEETING_ENDED,
            Waiting.REJOINING,
        )
        assert "HostEndedForAll" in str(found.message)
        assert "the host closed it" in str(found.message)

    @pytest.mark.parametrize(
        ("changes", "phase", "reason"),
        [
            ({}, Phase.COMPLETED, Reason.MEETING_ENDED),
            ({"recording": {"segments": 3}}, Phase.LEAVING, Reason.MEETING_ENDED),
            ({"everJoined": False, "joinedAt": None}, Phase.FAILED, Reason.BOT_CRASHED),
        ],
        ids=["verified", "not verified", "never joined"],
    )
    def test_an_unknown_reason_ends_the_session_as_its_facts_say(
        self, changes: dict[str, Any], phase: Phase, reason: Reason
    ) -> None:
        message = text("report-next", sessionId=session_id(make.UID), **changes)
        status = {"phase": "Joining", "attempt": 1, "botPod": make.POD}
        facts = make.facts(make.session(status), make.terminated(make.ended(message), "Succeeded"))
        [patch] = [each.patch for each in decide(facts, lambda: make.NOW).actions if isinstance(each, PatchStatus)]
        assert (patch["phase"], patch["reason"]) == (phase, reason)
        assert "HostEndedForAll" in patch["message"]

    @pytest.mark.parametrize(
        ("changes", "phase", "waiting"),
        [
            ({"joinedAt": None, "leftAt": None, "everJoined": False}, ReportPhase.JOINING, Waiting.CONNECTING),
            ({"leftAt": None}, ReportPhase.ACTIVE, Waiting.REJOINING),
            ({}, ReportPhase.LEAVING, Waiting.REJOINING),
        ],
    )
    def test_an_unknown_phase_is_what_the_times_say(
        self, changes: dict[str, Any], phase: ReportPhase, waiting: Waiting
    ) -> None:
        found = read_report(text("report-next", reason=None, **changes))
        assert (found.phase, found.waiting) == (phase, waiting)

    @pytest.mark.parametrize("reason", ["Deleted", 7, {"a": 1}, "x" * 100, "a\u202eb"])
    def test_a_reason_that_ends_no_session_is_an_unknown_one(self, reason: object) -> None:
        found = read_report(text("report-previous", reason=reason))
        assert found.reason is Reason.MEETING_ENDED
        assert len(str(found.message)) < 150
        assert "\u202e" not in str(found.message)

    @pytest.mark.parametrize(
        "changes", [{"contract": 3}, {"contract": -1}, {"revision": None}, {"sessionId": 3}, {"attempt": "x"}]
    )
    def test_whose_it_is_and_which_contract_must_be_known(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ReportError):
            read_report(text("report-next", **changes))

    @pytest.mark.parametrize("document", ["", "[]", "null", "{}", "[" * 100_000])
    def test_what_is_no_report_is_told_apart(self, document: str) -> None:
        with pytest.raises(ReportError):
            read_report(document)


class TestSession:
    """What an older or newer CRD let in, for example after an upgrade that left the CRD as it was."""

    def test_a_field_that_cannot_be_read_counts_as_not_set_and_is_named(self) -> None:
        document = documents.session(recording={"video": "3840x2160"}, botName="Notes", layout="grid")
        found = parse_session(document)
        assert found.unreadable == ("spec.recording.video",)
        assert (found.spec.bot_name, found.spec.recording) == ("Notes", RecordingSpec())
        [patch] = [
            each.patch for each in decide(make.facts(found), lambda: make.NOW).actions if isinstance(each, PatchStatus)
        ]
        assert (patch["phase"], patch["reason"]) == (Phase.FAILED, Reason.CONFIG_INVALID)
        assert "spec.recording.video" in patch["message"]
        assert "3840x2160" not in patch["message"]
        assert document["spec"]["recording"] == {"video": "3840x2160"}, "the cached object stays as it is"

    @pytest.mark.parametrize(
        ("status", "phase"),
        [
            ({"phase": "Archived", "completionTime": "2026-11-23T11:00:00Z", "reason": "HostEnded"}, Phase.FAILED),
            (
                {
                    "phase": "Archived",
                    "completionTime": "2026-11-23T11:00:00Z",
                    "conditions": [
                        {
                            "type": "Complete",
                            "status": "True",
                            "reason": "HostEnded",
                            "message": "",
                            "lastTransitionTime": "2026-11-23T11:00:00Z",
                        }
                    ],
                },
                Phase.COMPLETED,
            ),
            ({"phase": "Paused", "attempt": 1, "botPod": make.POD}, None),
        ],
        ids=["failed", "completed", "goes on"],
    )
    def test_a_session_that_has_ended_has_ended_whatever_its_phase_is_called(
        self, status: dict[str, Any], phase: Phase | None
    ) -> None:
        found = parse_session({**documents.session(), "status": status})
        assert (found.status.phase, found.status.reason) == (phase, None)
        assert "status.phase" in found.unreadable

    def test_an_object_that_says_nothing_is_left_alone(self) -> None:
        with pytest.raises(UnreadableError, match="spec"):
            parse_session({**documents.session(), "spec": "none"})
