"""Phases of a session, as its status shows them, and of a bot, as its report has them."""

from enum import StrEnum
from typing import Final, NamedTuple


class Phase(StrEnum):
    """``status.phase`` of a MeetingSession. Inside an attempt the rank never falls; terminal phases absorb."""

    SCHEDULED = "Scheduled"
    INITIALIZING = "Initializing"
    JOINING = "Joining"
    ACTIVE = "Active"
    RECORDING = "Recording"
    LEAVING = "Leaving"
    COMPLETED = "Completed"
    FAILED = "Failed"

    @property
    def terminal(self) -> bool:
        """Whether the session is over for good."""
        return self in (Phase.COMPLETED, Phase.FAILED)

    @property
    def rank(self) -> int:
        """Position in the order in which an attempt passes the phases (both terminal phases share the last one)."""
        return PHASES[self].rank


class ReportPhase(StrEnum):
    """``phase`` of a bot's report."""

    JOINING = "Joining"
    ACTIVE = "Active"
    RECORDING = "Recording"
    LEAVING = "Leaving"
    ENDED = "Ended"


class Waiting(StrEnum):
    """What a bot that is outside the meeting waits for."""

    CONNECTING = "Connecting"
    WAITING_ROOM = "WaitingRoom"
    NOT_STARTED = "NotStarted"
    REJOINING = "Rejoining"


class PhaseSpec(NamedTuple):
    """One row of the phase table: order, the three kstatus conditions, and the meaning in a sentence."""

    rank: int
    ready: bool
    reconciling: bool
    stalled: bool
    meaning: str


PHASES: Final[dict[Phase, PhaseSpec]] = {
    Phase.SCHEDULED: PhaseSpec(0, True, False, False, "The start is ahead; the message says when the bot is made."),
    Phase.INITIALIZING: PhaseSpec(1, False, True, False, "Accepted; the bot has not reported yet."),
    Phase.JOINING: PhaseSpec(2, False, True, False, "The bot runs and is not in the meeting."),
    Phase.ACTIVE: PhaseSpec(3, True, False, False, "In the meeting; no media is being recorded (a transcript may be)."),
    Phase.RECORDING: PhaseSpec(4, True, False, False, "In the meeting; media is being written."),
    Phase.LEAVING: PhaseSpec(5, False, True, False, "Leaving, or gone; the files are being closed and verified."),
    Phase.COMPLETED: PhaseSpec(
        6,
        True,
        False,
        False,
        "Recording verified; or attended with nothing to record; or asked to leave, or its end time came, before it "
        "joined.",
    ),
    Phase.FAILED: PhaseSpec(
        6,
        False,
        False,
        True,
        "Ended without a complete recording; what was recorded is kept.",
    ),
}


def http_name(name: str) -> str:
    """Spell a CamelCase name of the CR as the HTTP API does: ``NobodyCame`` → ``nobody_came``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
