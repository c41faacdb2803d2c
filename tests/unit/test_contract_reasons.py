"""The table of reasons: complete, advised, and what each one ends in."""

import pytest

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import REASONS, Reason, end_phase

RETRIED = {
    Reason.MEETING_NOT_STARTED,
    Reason.MEETING_FULL,
    Reason.MEETING_LOCKED,
    Reason.BLOCKED_AS_BOT,
    Reason.PAGE_NOT_RECOGNISED,
    Reason.PAGE_UNREACHABLE,
    Reason.JOIN_TIMEOUT,
    Reason.BROWSER_CRASHED,
    Reason.QUOTA_EXCEEDED,
    Reason.OUT_OF_MEMORY,
    Reason.EVICTED,
    Reason.NODE_LOST,
    Reason.BOT_CRASHED,
}
BEFORE_JOINING = {Reason.LEAVE_REQUESTED, Reason.END_TIME_REACHED}
ENDING = [reason for reason in Reason if REASONS[reason].end is not None]
COMPLETED = [reason for reason in ENDING if REASONS[reason].end is Phase.COMPLETED]
FAILED = [reason for reason in ENDING if REASONS[reason].end is Phase.FAILED]


def test_every_reason_has_a_row() -> None:
    assert set(REASONS) == set(Reason)


def test_only_these_are_retried() -> None:
    assert {reason for reason, facts in REASONS.items() if facts.retry} == RETRIED


def test_a_completed_reason_is_never_retried() -> None:
    assert not RETRIED & set(COMPLETED)


@pytest.mark.parametrize("reason", Reason)
def test_advice_is_one_sentence(reason: Reason) -> None:
    advice = REASONS[reason].advice
    assert advice[0].isupper()
    assert advice.endswith(".")
    assert advice.count(". ") == 0


@pytest.mark.parametrize("reason", COMPLETED)
def test_completed_is_earned_by_verified_files(reason: Reason) -> None:
    assert end_phase(reason, ever_joined=True, files_verified=True, files_expected=True) == (Phase.COMPLETED, reason)
    assert end_phase(reason, ever_joined=True, files_verified=False, files_expected=True) == (
        Phase.FAILED,
        Reason.VERIFICATION_FAILED,
    )
    assert end_phase(reason, ever_joined=True, files_verified=False, files_expected=False) == (Phase.COMPLETED, reason)


@pytest.mark.parametrize("reason", COMPLETED)
def test_who_never_joined_completes_only_by_a_wish(reason: Reason) -> None:
    phase, told = end_phase(reason, ever_joined=False, files_verified=False, files_expected=True)
    expected = (Phase.COMPLETED, reason) if reason in BEFORE_JOINING else (Phase.FAILED, Reason.JOIN_TIMEOUT)
    assert (phase, told) == expected


@pytest.mark.parametrize("reason", FAILED)
@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("verified", [True, False])
def test_a_failed_reason_stays_what_it_is(reason: Reason, joined: bool, verified: bool) -> None:
    assert end_phase(reason, ever_joined=joined, files_verified=verified, files_expected=True) == (Phase.FAILED, reason)


def test_a_deleted_session_has_no_end() -> None:
    with pytest.raises(ValueError, match="never ends"):
        end_phase(Reason.DELETED, ever_joined=True, files_verified=True, files_expected=True)
