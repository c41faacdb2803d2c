"""The status that a snapshot deserves, the merge patch towards it, and whether the difference is worth a write now.

The operator is the status's only writer. Unknown is absent. The link is in none of these fields.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from meeting_buddy.contract import identity
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import LeftReport, PeopleReport, PersonReport, Report, TranscriptionReport
from meeting_buddy.contract.text import page_text
from meeting_buddy.domain import conditions
from meeting_buddy.domain.snapshot import Snapshot
from meeting_buddy.resource.session import Condition, MeetingSessionStatus, Participant, PastParticipant

MAX_PEOPLE: Final = 50
MAX_EVIDENCE: Final = 20
MAX_TEXT: Final = 256

_IMMEDIATE_FIELDS: Final = (
    "phase",
    "reason",
    "observed_generation",
    "attempt",
    "bot_pod",
    "finisher_pod",
    "leave_requested_at",
)
_DEFERRABLE_CONDITIONS: Final = frozenset(
    {
        ("PodScheduled", "True", "Scheduled"),
        ("Reporting", "True", "Connected"),
        ("Sandboxed", "True", "Seccomp"),
        ("Joined", "False", "Left"),  # after phase Leaving
        ("Transcribed", "Unknown", "Starting"),
        ("Transcribed", "True", "Live"),
        ("Transcribed", "True", "Done"),
        ("Transcribed", "False", "Lagging"),  # comes and goes on a busy machine
    }
)
"""Good news about details, and what is known already; it waits for the next write instead of costing one."""
_DEFERRABLE_TYPES: Final = frozenset({"AudioReceived", "VideoReceived"})
"""Of these only ``False`` is news that somebody waits for."""


def compose(snapshot: Snapshot) -> MeetingSessionStatus:
    """The whole status; what is not known now keeps what was known before."""
    report = _complete(snapshot)
    snapshot = snapshot if report is snapshot.report else replace(snapshot, report=report)
    session, before, spec = snapshot.session, snapshot.session.status, snapshot.session.spec
    identifier = identity.session_id(session.uid)
    changes: dict[str, Any] = {
        "phase": snapshot.phase,
        "reason": snapshot.reason,
        "message": conditions.fitting(snapshot.message or "") or None,
        "session_id": identifier,
        "platform": snapshot.platform or before.platform,
        "observed_generation": session.generation,
        "scheduled_time": before.scheduled_time or snapshot.now,
        "table_hash": before.table_hash or snapshot.table_hash,
        **_leave(snapshot),
        "join_timestamp": snapshot.joined_at,
        "next_attempt_time": None if snapshot.has_bot or snapshot.phase.terminal else before.next_attempt_time,
        "completion_time": before.completion_time or (snapshot.now if snapshot.phase.terminal else None),
    }
    if snapshot.bot_name is not None:
        changes |= {"attempt": snapshot.attempt, "bot_pod": snapshot.bot_name}
        changes |= _place(snapshot)
        if spec.recording.enabled or snapshot.transcribing:
            changes["output_directory"] = identity.volume_path(session.namespace, identifier)
    if snapshot.finisher_name is not None:
        changes["finisher_pod"] = snapshot.finisher_name
    if snapshot.report is not None:
        changes |= _from_report(snapshot, snapshot.report)
        changes |= _transcript(snapshot.report.transcription)
    elif snapshot.phase in (Phase.ACTIVE, Phase.RECORDING):  # the one before has left; this one is there
        changes["leave_timestamp"] = None
    if snapshot.reason is not None:
        changes["transcript_lag_seconds"] = None
    if snapshot.joined_at is not None:
        changes |= _people(snapshot)
    changes["conditions"] = conditions.compute(snapshot)
    return before.model_copy(update=changes)


def _leave(snapshot: Snapshot) -> dict[str, Any]:
    """Since when the bot has to leave, and why; what ended before anybody asked it to leave has neither."""
    by_time = snapshot.end_reached and snapshot.reason in (None, Reason.END_TIME_REACHED)
    if not (snapshot.asked_to_leave or by_time):
        return {}
    asked_at = snapshot.session.status.leave_requested_at or snapshot.now
    return {"leave_requested_at": asked_at, "leave_reason": snapshot.leave_reason}


def _place(snapshot: Snapshot) -> dict[str, Any]:
    """Where the bot is: node and address in one patch, the first that is written anyhow after the pod has an address.

    The end tells what is known of a pod that never had one; what was told stays when the pod is gone.
    """
    pod, before = snapshot.bot_pod, snapshot.session.status
    if pod is None or not (pod.ip or snapshot.phase.terminal):
        return {}
    return {"node": pod.node or before.node, "bot_address": pod.ip or before.bot_address}


def next_attempt(
    snapshot: Snapshot, reason: Reason, at: datetime, message: str, *, rejoins: bool
) -> MeetingSessionStatus:
    """The status with which the next attempt begins: what its bot is and reports is not known yet.

    Args:
        snapshot: the session with the last report of the bot that ended.
        reason: why that ended.
        at: when the next bot is made.
        message: both in a sentence.
        rejoins: the bot that ended was in the meeting; one of which nobody knows that counts as there at its end.
    """
    ended = compose(replace(snapshot, reason=reason))
    ended = left_without_a_word(ended, snapshot) if rejoins else ended
    left_at = ended.leave_timestamp if rejoins else None
    afresh = {
        "phase": Phase.INITIALIZING,
        "reason": None,
        "attempt": snapshot.attempt + 1,
        "next_attempt_time": at,
        "join_timestamp": ended.join_timestamp or left_at,
        "leave_timestamp": left_at,
        **dict.fromkeys(("bot_pod", "bot_address", "node", "table_hash", "transcript_lag_seconds")),
    }
    session = replace(snapshot.session, status=ended.model_copy(update=afresh))
    facts = replace(snapshot.facts, session=session)
    begun = replace(snapshot, facts=facts, session=session, report=None, has_bot=False)
    return compose(begun.going_on(Phase.INITIALIZING, message, creating=False))


def _complete(snapshot: Snapshot) -> Report | None:
    """The report, with what was told before of what its author does not know.

    A later bot, or a finisher, knows nothing of the files until it has looked; a finisher was never in the meeting.
    """
    report, before = snapshot.report, snapshot.session.status
    if report is None or not (snapshot.finishing or snapshot.attempt > 1):
        return report
    changes: dict[str, Any] = {}
    if not report.recording.segments and before.segment_count:
        counts = {
            "segments": before.segment_count,
            "audio_files": before.audio_file_count or 0,
            "video_files": before.video_file_count or 0,
            "bytes": before.total_size_bytes or 0,
        }
        changes["recording"] = report.recording.model_copy(update=counts)
    lines = max(report.transcription.lines, before.transcript_line_count or 0)
    changes["transcription"] = report.transcription.model_copy(update={"lines": lines})
    if snapshot.finishing:
        changes["ever_joined"] = False
    return report.model_copy(update=changes)


def _from_report(snapshot: Snapshot, report: Report) -> dict[str, Any]:
    before = snapshot.session.status
    in_meeting = snapshot.phase in (Phase.ACTIVE, Phase.RECORDING)
    evidence = [page_text(path, MAX_TEXT) for path in report.evidence]
    earlier = [path for path in before.evidence or () if path not in evidence]
    found: dict[str, Any] = {
        "leave_timestamp": report.left_at or (None if in_meeting or report.ever_joined else before.leave_timestamp),
        "segment_count": report.recording.segments,
        "audio_file_count": report.recording.audio_files,
        "video_file_count": report.recording.video_files,
        "total_size_bytes": report.recording.bytes,
        "evidence": [*earlier, *evidence][-MAX_EVIDENCE:] or None,
        "table_hash": report.table_hash or before.table_hash,
    }
    if snapshot.joined_at is not None and report.ever_joined:
        found |= stay(snapshot.joined_at, report.left_at or report.time)
    return found


def left_without_a_word(after: MeetingSessionStatus, snapshot: Snapshot) -> MeetingSessionStatus:
    """The status of a session whose bot was in the meeting, with when it left where no report says so."""
    if after.leave_timestamp is not None:
        return after
    at, joined_at = _last_there(after, snapshot), after.join_timestamp
    return after.model_copy(update={"leave_timestamp": at, **({} if joined_at is None else stay(joined_at, at))})


def _last_there(status: MeetingSessionStatus, snapshot: Snapshot) -> datetime:
    """Until when a bot was in the meeting that did not say when it left: to its end, else as long as it was heard."""
    report, pod, spent = snapshot.report, snapshot.bot_pod, status.total_duration_seconds
    if (at := snapshot.bot_ended_at) is not None:
        return at
    if report is not None and report.ever_joined:
        return report.time
    if status.join_timestamp is not None and spent is not None:
        at = status.join_timestamp + timedelta(seconds=spent)
        if pod is None or pod.started_at is None or pod.started_at <= at:  # else it is of the bot before this one
            return at
    return snapshot.now


def stay(joined_at: datetime, left_at: datetime) -> dict[str, Any]:
    """How long the session has been in the meeting, in its status's two fields."""
    seconds = max(0, round((left_at - joined_at).total_seconds()))
    return {"total_duration_seconds": seconds, "duration": duration(seconds)}


def _transcript(report: TranscriptionReport) -> dict[str, Any]:
    if report.state == "Off" and not report.lines:
        return {}
    lag = report.lag_seconds
    known = lag is not None and math.isfinite(lag)
    return {
        "transcript_line_count": max(0, report.lines),
        "transcript_lag_seconds": round(max(0.0, lag), 1) if known and lag is not None else None,
    }


def _people(snapshot: Snapshot) -> dict[str, Any]:
    """Who is there and who was: reports hold the last of those who left, the status collects them."""
    before, report, ended = snapshot.session.status, snapshot.report, snapshot.reason is not None
    if report is None and not (ended and before.participant_count):
        return {}
    people = report.people if report is not None else PeopleReport()
    # After the end nobody is in the meeting with the bot, whatever the last report's page still showed.
    named, left = _named(people.current), _named(people.left)
    if not ended:
        named += _cut_from_report(before.current_participants or (), named, left, people.present - len(named))
    current = [] if ended else named[:MAX_PEOPLE]
    # A bot that ended without a word was with them to its end, be its last report as old as it may.
    seen_last = _last_there(before, snapshot) if ended or report is None else report.time
    if report is not None and report.left_at is not None:
        seen_last = report.left_at
    known = [*(before.current_participants or ()), *named]
    return {
        "current_participants": [Participant(name=each.name, joined_at=each.joined_at) for each in current],
        "participant_count": 0 if ended else max(people.present, len(named)),
        "participant_history": _history(
            current=current,
            # Those who are missing without a word: more left than a report tells, or they were there to the end.
            missing=[PastParticipant(name=each.name, joined_at=each.joined_at, left_at=seen_last) for each in known],
            before=before.participant_history or (),
            left=left,
        ),
        "participant_history_count": max(people.seen, before.participant_history_count or 0),
    }


def _cut_from_report(
    before: Iterable[Participant], named: Sequence[Participant], left: Iterable[Participant], most: int
) -> list[PastParticipant]:
    """Those who were there, and of whom a report says nothing although more are there than it names.

    It names those who came first: of who came before the last of them, silence says that they have left.
    """
    known, last = {_person(each) for each in (*named, *left)}, max((_came(each) for each in named), default=0.0)
    silent = [each for each in before if _person(each) not in known and _came(each) > last][: max(0, most)]
    return [PastParticipant(name=each.name, joined_at=each.joined_at) for each in silent]


def _came(entry: Participant) -> float:
    return entry.joined_at.timestamp() if entry.joined_at is not None else 0.0


def _history(
    *,
    current: Iterable[Participant],
    missing: Iterable[PastParticipant],
    before: Iterable[PastParticipant],
    left: Iterable[PastParticipant],
) -> list[PastParticipant]:
    """The latest of those who left and are not there; of two entries on one person, the bot's own word counts."""
    there = {_person(each) for each in current}
    found = {_person(each): each for each in (*missing, *before, *left)}
    return sorted((each for key, each in found.items() if key not in there), key=_when_left)[-MAX_PEOPLE:]


def _person(entry: Participant) -> tuple[str, datetime | None]:
    return entry.name, entry.joined_at


def _when_left(entry: PastParticipant) -> tuple[float, float, str]:
    # A total order: which entries are the latest must not depend on the order in which they are found.
    joined = _came(entry)
    return entry.left_at.timestamp() if entry.left_at is not None else joined, joined, entry.name


def _named(reported: Iterable[PersonReport]) -> list[PastParticipant]:
    # Cleaned here too: a bot of another version, or a broken one, must not choose what a status shows.
    cleaned = ((_shown_name(each.name), each) for each in reported)
    return [
        PastParticipant(
            name=name, joined_at=each.joined_at, left_at=each.left_at if isinstance(each, LeftReport) else None
        )
        for name, each in cleaned
        if name
    ]


@lru_cache(maxsize=512)  # each look shows the same people
def _shown_name(name: str) -> str:
    return page_text(name, MAX_TEXT)


def duration(seconds: int) -> str:
    """``3725`` → ``1h2m``, ``62`` → ``1m2s``: for a column, two units at most."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def merge_patch(before: MeetingSessionStatus, after: MeetingSessionStatus) -> dict[str, Any]:
    """What turns ``before`` into ``after``, as an RFC 7396 merge patch; lists go whole, removed fields as ``None``."""
    # Few fields change at a time, and to spell them out costs most.
    known = vars(before)
    unlike = {name for name, value in vars(after).items() if known[name] is not value and known[name] != value}
    old, new = _document(before, unlike), _document(after, unlike)
    changed: dict[str, Any] = {key: value for key, value in new.items() if old.get(key) != value}
    return changed | {key: None for key in old if key not in new}


def transcript_result(status: MeetingSessionStatus) -> str | None:
    """What became of the transcript of a session that has ended, in one of four words; ``None``: there was none."""
    found = next((each for each in status.conditions or () if each.type == "Transcribed"), None)
    if found is None or found.reason == "NoEngine":
        return None
    if found.status == "True":
        return "Complete"
    return found.reason if found.reason in ("Incomplete", "VerificationFailed") else "Failed"


def needs_immediate_write(before: MeetingSessionStatus, after: MeetingSessionStatus) -> bool:
    """Whether people or machines wait for this difference; anything else is progress, at most one write a minute."""
    if any(getattr(before, name) != getattr(after, name) for name in _IMMEDIATE_FIELDS):
        return True
    return bool(condition_keys(after.conditions) - condition_keys(before.conditions))


def condition_keys(found: list[Condition] | None) -> set[tuple[str, str, str]]:
    # A deferrable condition that turns bad is written at once; one that turns good waits for the next write.
    return {(each.type, each.status, each.reason) for each in found or () if not deferrable(each)}


def deferrable(condition: Condition) -> bool:
    if condition.type in _DEFERRABLE_TYPES:
        return condition.status != "False"
    return (condition.type, condition.status, condition.reason) in _DEFERRABLE_CONDITIONS


def _document(status: MeetingSessionStatus, fields: set[str]) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True, include=fields)
