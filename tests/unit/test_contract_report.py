"""A bot's report on the wire: spelling, size, and what is cut first."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import (
    MAX_CURRENT,
    MAX_LEFT,
    MAX_REPORT_BYTES,
    MAX_TERMINATION_BYTES,
    BrowserReport,
    Gap,
    LeftReport,
    PeopleReport,
    PersonReport,
    RecordingReport,
    Report,
    TranscriptionReport,
    report_json,
)

MOMENT = datetime(2026, 11, 23, 10, 0, 41, 200_000, tzinfo=UTC)


def report(**changes: object) -> Report:
    fields = {"revision": 17, "session_id": "mbsess_1", "attempt": 1, "time": MOMENT, "phase": ReportPhase.RECORDING}
    return Report.model_validate({**fields, **changes})


def people(current: list[str], left: list[str]) -> PeopleReport:
    """Each came a second after the one before; of those who left, the latest is the first."""
    there = [PersonReport(name=name, joined_at=MOMENT + timedelta(seconds=n)) for n, name in enumerate(current)]
    gone = [LeftReport(name=name, joined_at=MOMENT, left_at=MOMENT) for name in left]
    return PeopleReport(current=tuple(there), left=tuple(gone), present=len(there), seen=len(there) + len(gone))


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
        {"people": people([f"Somebody with a long näme {n}" for n in range(900)], [])},
        {"people": people([], [f"Somebody with a long näme {n}" for n in range(900)])},
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


def test_early_gaps_go_first_then_names_and_the_message_stays() -> None:
    long = report(
        people=people([f"Person {n}" for n in range(300)], ["Ada"]),
        recording=RecordingReport(gaps=tuple(Gap(start=n, end=n + 1, cause="killed") for n in range(20))),
        message="the whole message",
    )
    cut = Report.model_validate_json(report_json(long, MAX_TERMINATION_BYTES))
    assert 0 < len(cut.people.current) < 300
    assert (cut.people.left, cut.people.present, cut.people.seen) == ((), 300, 301)
    assert cut.recording.gaps == ()
    assert cut.message == "the whole message"
    of_many = report(people=people([f"Person {n}" for n in range(30)], []), recording=long.recording)
    cut = Report.model_validate_json(report_json(of_many, len(of_many.to_json()) - 1))
    assert [gap.start for gap in cut.recording.gaps] == [*range(10, 20)]
    assert len(cut.people.current) == 30


def test_no_text_costs_how_it_ended() -> None:
    whole = report(
        reason=Reason.MEETING_ENDED,
        joined_at=MOMENT,
        recording=RecordingReport(segments=3, verified=True),
        people=PeopleReport(present=2, seen=4),
        transcription=TranscriptionReport(state="Done", reason="Incomplete", lines=7, message="\u200c" * 5000),
        browser=BrowserReport(version="1" * 5000),
    )
    cut = Report.model_validate_json(report_json(whole, MAX_TERMINATION_BYTES))
    assert cut == report(
        reason=Reason.MEETING_ENDED,
        joined_at=MOMENT,
        recording=whole.recording,
        people=whole.people,
        transcription=TranscriptionReport(state="Done", reason="Incomplete", lines=7),
    )


def test_a_long_word_on_the_transcript_costs_nothing_of_how_the_session_ended() -> None:
    transcription = TranscriptionReport(state="Done", reason="Incomplete", message="\u200c" * 5000)
    whole = report(reason=Reason.MEETING_ENDED, message="the host ended it", transcription=transcription)
    cut = Report.model_validate_json(report_json(whole, MAX_TERMINATION_BYTES))
    assert (cut.message, cut.transcription.reason) == (whole.message, "Incomplete")


def test_what_cannot_be_cut_to_the_limit_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        report_json(report(), 100)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)


@given(
    st.lists(NAMES, max_size=MAX_CURRENT),
    st.lists(NAMES, max_size=MAX_LEFT),
    st.sampled_from([MAX_REPORT_BYTES, MAX_TERMINATION_BYTES]),
)
def test_names_are_cut_from_the_ends_and_no_more_than_needed(current: list[str], left: list[str], limit: int) -> None:
    whole = report(people=people(current, left))
    text = report_json(whole, limit)
    cut = Report.model_validate_json(text).people
    assert len(text.encode()) <= limit
    assert (cut.present, cut.seen) == (whole.people.present, whole.people.seen)
    assert cut.current == whole.people.current[: len(cut.current)]
    assert cut.left == whole.people.left[: len(cut.left)]
    if cut.current != whole.people.current:
        assert cut.left == ()
    if cut != whole.people:
        one_more = cut.model_copy(
            update={"current": whole.people.current[: len(cut.current) + 1]}
            if cut.current != whole.people.current
            else {"left": whole.people.left[: len(cut.left) + 1]}
        )
        assert report_json(report(people=one_more), limit) == text


def test_two_full_lists_of_ordinary_names_fit_a_report_uncut() -> None:
    whole = report(people=people(["Ada Lovelace (ext)"] * MAX_CURRENT, ["Alan Turing"] * MAX_LEFT))
    assert Report.model_validate_json(report_json(whole)) == whole


def test_names_without_times_are_read() -> None:
    found = PeopleReport.model_validate({"current": ["Ada"], "seen": 3})
    assert found == PeopleReport(current=(PersonReport(name="Ada"),), seen=3)
