"""What a rejoin finds, reason by reason: a meeting that was attended never fails for what its page answers then."""

from __future__ import annotations

import pytest

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy_bot.session.rejoin import PASSING, REASONS_AFTER_JOINING, after_joining, reason_after_joining
from meeting_buddy_bot.session.result import SessionResult

TRUE_AT_ANY_TIME = {
    *(reason for reason, facts in REASONS.items() if facts.end is Phase.COMPLETED),
    Reason.CONNECTION_LOST,
    # What befell the bot, its files or its node, whatever the page says.
    *(Reason.NO_MEDIA, Reason.BROWSER_CRASHED, Reason.RECORDING_FAILED, Reason.STORAGE_FULL),
    *(Reason.VERIFICATION_FAILED, Reason.CONFIG_INVALID, Reason.OUT_OF_MEMORY, Reason.EVICTED, Reason.NODE_LOST),
    Reason.BOT_CRASHED,
    # The operator's own.
    *(Reason.IMAGE_PULL_FAILED, Reason.UNSCHEDULABLE, Reason.QUOTA_EXCEEDED, Reason.DELETED),
}


def test_every_reason_is_either_mapped_or_true_at_any_time() -> None:
    assert TRUE_AT_ANY_TIME | set(REASONS_AFTER_JOINING) == set(Reason)
    assert not TRUE_AT_ANY_TIME & set(REASONS_AFTER_JOINING)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_page_s_answer_becomes_removed_over_or_cut_off_and_nothing_else(reason: Reason) -> None:
    after = reason_after_joining(reason)
    if reason in TRUE_AT_ANY_TIME:
        assert after is reason
    else:
        assert after in (Reason.REMOVED_FROM_MEETING, Reason.MEETING_ENDED, Reason.CONNECTION_LOST)
    assert reason_after_joining(after) is after


@pytest.mark.parametrize("reason", [Reason.BLOCKED_AS_BOT, Reason.CAPTCHA_REQUIRED, Reason.SIGN_IN_REQUIRED])
def test_what_a_site_decides_by_itself_is_nobody_who_removed_the_bot(reason: Reason) -> None:
    assert reason_after_joining(reason) is Reason.CONNECTION_LOST


def test_what_is_worth_another_try_ends_as_a_lost_connection() -> None:
    assert {reason_after_joining(reason) for reason in PASSING} == {Reason.CONNECTION_LOST}


@pytest.mark.parametrize(
    ("found", "reported"),
    [
        (SessionResult(Reason.MEETING_ENDED), SessionResult(Reason.MEETING_ENDED)),
        (
            SessionResult(Reason.ENTRY_DENIED, "the meeting refused the bot"),
            SessionResult(
                Reason.REMOVED_FROM_MEETING, "the bot had been in the meeting when the page answered EntryDenied"
            ),
        ),
        (
            SessionResult(Reason.PAGE_UNREACHABLE, "the meeting's site answered 502"),
            SessionResult(
                Reason.CONNECTION_LOST,
                "the connection to the meeting did not come back; the page's last answer was PageUnreachable",
            ),
        ),
        (
            SessionResult(Reason.CONNECTION_LOST),
            SessionResult(Reason.CONNECTION_LOST, "the connection to the meeting did not come back"),
        ),
    ],
)
def test_the_message_names_what_the_page_answered(found: SessionResult, reported: SessionResult) -> None:
    assert after_joining(found) == reported


@pytest.mark.parametrize("reason", list(REASONS_AFTER_JOINING))
def test_a_page_that_went_back_before_joining_fails_no_meeting_that_cannot_be_joined_again(reason: Reason) -> None:
    result = after_joining(SessionResult(reason), over_if_lost=True)
    assert REASONS[result.reason].end is Phase.COMPLETED
    assert str(reason) in (result.message or "")


def test_a_page_that_went_back_before_joining_is_told_from_a_bot_that_was_removed() -> None:
    removed, over = (
        after_joining(SessionResult(each), over_if_lost=True) for each in (Reason.NOT_ADMITTED, Reason.JOIN_TIMEOUT)
    )
    assert removed == after_joining(SessionResult(Reason.NOT_ADMITTED))
    assert over == SessionResult(
        Reason.MEETING_ENDED,
        "the page went back to where one joins, which led to no call again; its last answer was JoinTimeout",
    )
