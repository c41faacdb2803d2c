"""What an end means once the bot was in the meeting: the page's answer on the way back, read with that knowledge.

A page cannot know that the guest was inside before. "You can't join" then does not mean that the session failed: there
is a recording, and its session ends as removed, as over, or as cut off.
"""

from types import MappingProxyType
from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.session.result import SessionResult

_R = Reason

PASSING: Final = frozenset(
    {
        _R.PAGE_UNREACHABLE,
        _R.JOIN_TIMEOUT,
        _R.PAGE_NOT_RECOGNISED,
        _R.CONNECTION_LOST,
        _R.MEETING_FULL,  # the place may be the bot's own: a site counts a lost guest until its connection times out
    }
)
"""Ends after which a bot that was in the meeting tries to come back, while the table's ``timeouts.rejoin`` lasts."""

REASONS_AFTER_JOINING: Final = MappingProxyType(
    {
        # A person, or a rule that a person set, keeps out a bot that had been let in.
        _R.NOT_ADMITTED: _R.REMOVED_FROM_MEETING,
        _R.ENTRY_DENIED: _R.REMOVED_FROM_MEETING,
        _R.MEETING_LOCKED: _R.REMOVED_FROM_MEETING,
        # The link's passcode was right a moment ago, and the meeting was open to this browser: the host changed it.
        _R.PASSCODE_MISSING: _R.REMOVED_FROM_MEETING,
        _R.PASSCODE_WRONG: _R.REMOVED_FROM_MEETING,
        _R.WEB_CLIENT_DISABLED: _R.REMOVED_FROM_MEETING,
        _R.END_TO_END_ENCRYPTED: _R.REMOVED_FROM_MEETING,
        # What was there is no more: sites forget a meeting at its end, or offer its next occurrence.
        _R.MEETING_NOT_FOUND: _R.MEETING_ENDED,
        _R.MEETING_NOT_STARTED: _R.MEETING_ENDED,
        _R.LINK_INVALID: _R.MEETING_ENDED,
        # Nobody put the bot out and the meeting may go on: the connection was lost and could not be made again.
        _R.PAGE_UNREACHABLE: _R.CONNECTION_LOST,
        _R.PAGE_NOT_RECOGNISED: _R.CONNECTION_LOST,
        _R.JOIN_TIMEOUT: _R.CONNECTION_LOST,
        _R.MEETING_FULL: _R.CONNECTION_LOST,
        # Sites ask this of guests who come often or fast, or take them for bots by themselves; it says nothing about
        # the meeting, and nobody in it put the bot out.
        _R.BLOCKED_AS_BOT: _R.CONNECTION_LOST,
        _R.CAPTCHA_REQUIRED: _R.CONNECTION_LOST,
        _R.SIGN_IN_REQUIRED: _R.CONNECTION_LOST,
        _R.REGISTRATION_REQUIRED: _R.CONNECTION_LOST,
        _R.BROWSER_OUTDATED: _R.CONNECTION_LOST,
        # Known before the first page is opened, or by the operator alone; a table that names one on a page means that
        # this page does not let the bot back.
        _R.MISSED: _R.CONNECTION_LOST,
        _R.HOST_NOT_ALLOWED: _R.CONNECTION_LOST,
        _R.PLATFORM_NOT_AVAILABLE: _R.CONNECTION_LOST,
    }
)
"""Reasons that mean something else after joining. All others are true at any time and stay."""


def reason_after_joining(reason: Reason) -> Reason:
    """``reason`` as it is to be reported by a bot that was in the meeting."""
    return REASONS_AFTER_JOINING.get(reason, reason)


def after_joining(result: SessionResult, *, over_if_lost: bool = False) -> SessionResult:
    """``result`` of a bot that was in the meeting, with a message that names what the page answered.

    ``over_if_lost``: the page had gone back to where one joins. It may have done so because the meeting was over, which
    stands unless coming back finds out something else.
    """
    reason = reason_after_joining(result.reason)
    if over_if_lost and reason is Reason.CONNECTION_LOST:
        return SessionResult(
            Reason.MEETING_ENDED,
            f"the page went back to where one joins, which led to no call again; its last answer was {result.reason}",
        )
    if reason is result.reason and reason is not Reason.CONNECTION_LOST:
        return result
    if reason is not Reason.CONNECTION_LOST:
        return SessionResult(reason, f"the bot had been in the meeting when the page answered {result.reason}")
    found = "" if result.reason is reason else f"; the page's last answer was {result.reason}"
    return SessionResult(reason, f"the connection to the meeting did not come back{found}")
