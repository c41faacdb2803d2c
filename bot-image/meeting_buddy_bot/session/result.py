"""How an attempt ends: the reason as the bot sees it, before the operator weighs files and phases."""

from dataclasses import dataclass

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.support.causes import cause_of


@dataclass(frozen=True, slots=True)
class SessionResult:
    """Why the bot is no longer in the meeting, or never was."""

    reason: Reason
    message: str | None = None
    """One sentence for the session's status; never a link, never a page's own text."""


def failed(error: BaseException) -> SessionResult:
    """Of a session that raised ``error``."""
    return SessionResult(Reason.BOT_CRASHED, f"the bot's session failed: {cause_of(error)}")
