"""Why a session is where it is: the closed list of reasons, each with its end phase, its retry rule and its advice.

``Retry`` says only that a new attempt is allowed before the bot was ever in the meeting; whether one is made is the
business of ``backoffLimit``. Advice is one sentence on what the user does next.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from meeting_buddy.contract.phases import Phase


class Reason(StrEnum):
    """``status.reason`` once a session has ended, and ``reason`` of a bot's report."""

    MEETING_ENDED = "MeetingEnded"
    LEAVE_REQUESTED = "LeaveRequested"
    END_TIME_REACHED = "EndTimeReached"
    MAX_DURATION_REACHED = "MaxDurationReached"
    EVERYONE_LEFT = "EveryoneLeft"
    NOBODY_CAME = "NobodyCame"
    ONLY_BOTS_LEFT = "OnlyBotsLeft"
    SILENCE = "Silence"
    REMOVED_FROM_MEETING = "RemovedFromMeeting"
    MISSED = "Missed"
    NOT_ADMITTED = "NotAdmitted"
    ENTRY_DENIED = "EntryDenied"
    MEETING_NOT_FOUND = "MeetingNotFound"
    MEETING_NOT_STARTED = "MeetingNotStarted"
    MEETING_FULL = "MeetingFull"
    MEETING_LOCKED = "MeetingLocked"
    PASSCODE_MISSING = "PasscodeMissing"
    PASSCODE_WRONG = "PasscodeWrong"
    SIGN_IN_REQUIRED = "SignInRequired"
    REGISTRATION_REQUIRED = "RegistrationRequired"
    LINK_INVALID = "LinkInvalid"
    HOST_NOT_ALLOWED = "HostNotAllowed"
    PLATFORM_NOT_AVAILABLE = "PlatformNotAvailable"
    BLOCKED_AS_BOT = "BlockedAsBot"
    CAPTCHA_REQUIRED = "CaptchaRequired"
    BROWSER_OUTDATED = "BrowserOutdated"
    WEB_CLIENT_DISABLED = "WebClientDisabled"
    END_TO_END_ENCRYPTED = "EndToEndEncrypted"
    PAGE_NOT_RECOGNISED = "PageNotRecognised"
    PAGE_UNREACHABLE = "PageUnreachable"
    JOIN_TIMEOUT = "JoinTimeout"
    CONNECTION_LOST = "ConnectionLost"
    NO_MEDIA = "NoMedia"
    BROWSER_CRASHED = "BrowserCrashed"
    RECORDING_FAILED = "RecordingFailed"
    STORAGE_FULL = "StorageFull"
    VERIFICATION_FAILED = "VerificationFailed"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    CONFIG_INVALID = "ConfigInvalid"
    OUT_OF_MEMORY = "OutOfMemory"
    EVICTED = "Evicted"
    NODE_LOST = "NodeLost"
    BOT_CRASHED = "BotCrashed"
    DELETED = "Deleted"


class ReasonSpec(NamedTuple):
    """One row of the reason table."""

    end: Phase | None
    """Phase in which a session with this reason ends; ``None`` for a reason that only events carry."""
    retry: bool
    """Whether a new attempt may follow, provided that the bot was never in the meeting."""
    advice: str
    """What the user does next, one sentence."""
    before_joining: bool = False
    """Whether ``end`` is Completed even when the bot was never in the meeting."""


PLANNED: Final = frozenset({Reason.BROWSER_OUTDATED})
"""Reasons of the contract that nothing in this version raises yet; the public tables leave them out."""


def _completed(advice: str, *, before_joining: bool = False) -> ReasonSpec:
    return ReasonSpec(Phase.COMPLETED, False, advice, before_joining)


def _failed(advice: str, *, retry: bool = False) -> ReasonSpec:
    return ReasonSpec(Phase.FAILED, retry, advice)


_R = Reason
REASONS: Final[dict[Reason, ReasonSpec]] = {
    _R.MEETING_ENDED: _completed("Nothing to do: the host ended the meeting."),
    _R.LEAVE_REQUESTED: _completed("Nothing to do: the bot left because it was asked to.", before_joining=True),
    _R.END_TIME_REACHED: _completed("Nothing to do: the bot left at the session's end time.", before_joining=True),
    _R.MAX_DURATION_REACHED: _completed("Raise spec.activeDeadlineSeconds if the meeting may last longer."),
    _R.EVERYONE_LEFT: _completed("Nothing to do: everybody else had left."),
    _R.NOBODY_CAME: _completed("Raise spec.limits.nobodyCameSeconds if people may come later."),
    _R.ONLY_BOTS_LEFT: _completed("Nothing to do: only bots were left."),
    _R.SILENCE: _completed("Raise or remove the silence limit if long pauses are normal in this meeting."),
    _R.REMOVED_FROM_MEETING: _completed("Ask the host why the bot was removed; what was recorded until then is kept."),
    _R.MISSED: _failed(
        "Create a new session for the next meeting; raise spec.startingDeadlineSeconds where a late bot is of use."
    ),
    _R.NOT_ADMITTED: _failed("Ask the host to admit the bot, or raise spec.limits.waitingRoomSeconds."),
    _R.ENTRY_DENIED: _failed("Ask the host to let the bot in, then create a new session."),
    _R.MEETING_NOT_FOUND: _failed("Check the meeting link; it may be mistyped, expired or cancelled."),
    _R.MEETING_NOT_STARTED: _failed(
        "Create the session closer to the start, or have the host start the meeting.", retry=True
    ),
    _R.MEETING_FULL: _failed("Make room in the meeting or raise its participant limit.", retry=True),
    _R.MEETING_LOCKED: _failed("Ask the host to unlock the meeting.", retry=True),
    _R.PASSCODE_MISSING: _failed(
        "Use the full invitation link, which carries the passcode, or name a Secret with it in spec.passcodeSecretRef."
    ),
    _R.PASSCODE_WRONG: _failed(
        "Copy the invitation link again, or correct the Secret of spec.passcodeSecretRef; the passcode was refused."
    ),
    _R.SIGN_IN_REQUIRED: _failed("Ask the host to allow guests who are not signed in."),
    _R.REGISTRATION_REQUIRED: _failed("Ask the host for a link that needs no registration."),
    _R.LINK_INVALID: _failed("Use the meeting's own https link, as the invitation shows it."),
    _R.HOST_NOT_ALLOWED: _failed("Ask the administrator to list this host in selfHosted.hosts."),
    _R.PLATFORM_NOT_AVAILABLE: _failed("This installation has no table for the platform; ask the administrator."),
    _R.BLOCKED_AS_BOT: _failed("The platform turns automated guests away; ask the host to allow the bot.", retry=True),
    _R.CAPTCHA_REQUIRED: _failed("The page asks for a captcha; ask the host to switch it off for guests."),
    _R.BROWSER_OUTDATED: _failed("Update the bot image: the platform refuses this browser version."),
    _R.WEB_CLIENT_DISABLED: _failed("Ask the host to allow joining from the browser."),
    _R.END_TO_END_ENCRYPTED: _failed("Ask the host to switch off end-to-end encryption for this meeting."),
    _R.PAGE_NOT_RECOGNISED: _failed("Look at the evidence on the volume: the meeting's page has changed.", retry=True),
    _R.PAGE_UNREACHABLE: _failed(
        "Check name resolution, proxy and certificates between the cluster and the site.", retry=True
    ),
    _R.JOIN_TIMEOUT: _failed("Look at the evidence on the volume: joining took too long.", retry=True),
    _R.CONNECTION_LOST: _failed("Check the cluster's network; the connection to the meeting did not come back."),
    _R.NO_MEDIA: _failed("Check that UDP or TCP media traffic may leave the cluster; the meeting sent none."),
    _R.BROWSER_CRASHED: _failed("Give the bot class more memory; the browser died again and again.", retry=True),
    _R.RECORDING_FAILED: _failed("Read the bot's log: the recorder could not be kept running."),
    _R.STORAGE_FULL: _failed("Free or enlarge the recordings volume."),
    _R.VERIFICATION_FAILED: _failed("Look at the segments on the volume: the finished file could not be verified."),
    _R.IMAGE_PULL_FAILED: _failed("Check the bot class's image name and pull secrets."),
    _R.UNSCHEDULABLE: _failed("Give the cluster room for the bot, or lower the bot class's requests."),
    _R.QUOTA_EXCEEDED: _failed("Raise the namespace's quota or wait until another session has ended.", retry=True),
    _R.CONFIG_INVALID: _failed("Create what the message names, then create a new session."),
    _R.OUT_OF_MEMORY: _failed("Raise the bot class's memory limit.", retry=True),
    _R.EVICTED: _failed("The pod was stopped from outside; keep bots on nodes that are not drained.", retry=True),
    _R.NODE_LOST: _failed("The node is gone; what it had written is on the volume.", retry=True),
    _R.BOT_CRASHED: _failed("Read the bot's log and report the fault; written segments are on the volume.", retry=True),
    _R.DELETED: ReasonSpec(None, False, "Nothing to do: the session was deleted."),
}


def end_phase(reason: Reason, *, ever_joined: bool, files_verified: bool, files_expected: bool) -> tuple[Phase, Reason]:
    """Terminal phase for an ending, and the reason that it then carries.

    Completed is earned: files that were expected must have been verified, and the bot must have been in the meeting
    (leave and end time excepted). Otherwise a Completed reason turns into the Failed one that tells the truth.
    """
    facts = REASONS[reason]
    if facts.end is None:
        raise ValueError(f"{reason} never ends a session")
    if facts.end is Phase.FAILED:
        return Phase.FAILED, reason
    if not ever_joined:
        return (Phase.COMPLETED, reason) if facts.before_joining else (Phase.FAILED, Reason.JOIN_TIMEOUT)
    if files_expected and not files_verified:
        return Phase.FAILED, Reason.VERIFICATION_FAILED
    return Phase.COMPLETED, reason
