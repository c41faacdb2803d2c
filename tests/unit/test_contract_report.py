"""A bot's report on the wire: spelling, size, and what is cut first."""

import json
from datetime import UTC, datetime

import pytest

from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import (
    MAX_REPORT_BYTES,
    MAX_TERMINATION_BYTES,
    Gap,
    PeopleReport,
    RecordingReport,
    Report,
    report_json,
)

MOMENT = datetime(2026, 11, 23, 10, 0, 41, 200_000, tzinfo=UTC)


def report(**changes: object) -> Report:
    fields = {"revision": 17, "session_id": "mbsess_1", "attempt": 1, "time": MOMENT, "phase": ReportPhase.RECORDING}
    return Report.model_validate({**fields, **changes})


def test_it_is_camel_case_with_utc_times_and_explicit_nulls() -> None:
    document = json.loads(report_json(report(ever_joined=True)))
    assert document["sessionId"] == "mbsess_1"
    assert document["time"] == "2026-11-23T10:00:41.200Z"
    assert document["everJoined"] is True
    assert document["reason"] is None
    assert document["recording"] == {
        "segments": 0,
        "audioFiles": 0,
        "videoFiles": 0,
        "bytes": 0,
        "seconds": 0.0,
        "gaps": [],
        "verified": False,
    }


def test_it_reads_back_as_itself() -> None:
    whole = report(reason=Reason.MEETING_ENDED, recording=RecordingReport(gaps=(Gap(start=1, end=2, cause="x"),)))
    assert Report.model_validate_json(report_json(whole)) == whole


def test_a_reader_ignores_what_it_does_not_know() -> None:
    document = json.loads(report_json(report()))
    document["fromTheFuture"] = {"a": 1}
    document["people"]["mood"] = "good"
    assert Report.model_validate(document) == report()


@pytest.mark.parametrize("limit", [MAX_REPORT_BYTES, MAX_TERMINATION_BYTES])
@pytest.mark.parametrize(
    "changes",
    [
        {"people": PeopleReport(current=tuple(f"Somebody with a long näme {n}" for n in range(900)), seen=900)},
        {"recording": RecordingReport(gaps=tuple(Gap(start=n, end=n + 1, cause="killed") for n in range(900)))},
        {"message": "ü" * 20_000},
        {"evidence": tuple(f"debug/{n}/screenshot.png" for n in range(900))},
    ],
)
def test_it_is_cut_to_its_limit_and_stays_a_report(limit: int, changes: dict[str, object]) -> None:
    text = report_json(report(**changes), limit)
    assert len(text.encode()) <= limit
    cut = Report.model_validate_json(text)
    assert (cut.revision, cut.phase) == (17, ReportPhase.RECORDING)


def test_names_go_before_gaps_and_gaps_before_the_message() -> None:
    long = report(
        people=PeopleReport(current=tuple(f"Person {n}" for n in range(300)), seen=300),
        recording=RecordingReport(gaps=tuple(Gap(start=n, end=n + 1, cause="killed") for n in range(20))),
        message="the whole message",
    )
    cut = Report.model_validate_json(report_json(long, MAX_TERMINATION_BYTES))
    assert len(cut.people.current) < 300
    assert cut.people.seen == 300
    assert len(cut.recording.gaps) == 20
    assert cut.message == "the whole message"


def test_what_cannot_be_cut_to_the_limit_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        report_json(report(), 100)
