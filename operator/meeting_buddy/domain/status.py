"""The status that a snapshot deserves, the merge patch towards it, and whether the difference is worth a write now.

The operator is the status's only writer. Unknown is absent. The link is in none of these fields.
"""

from collections.abc import Iterable
from typing import Any, Final

from meeting_buddy.contract import identity
from meeting_buddy.contract.report import Report
from meeting_buddy.contract.text import page_text, well_formed
from meeting_buddy.domain import conditions
from meeting_buddy.domain.snapshot import Snapshot
from meeting_buddy.resource.session import Condition, MeetingSessionStatus, Participant

MAX_PEOPLE: Final = 50
MAX_EVIDENCE: Final = 20
MAX_TEXT: Final = 256
MAX_MESSAGE: Final = 1024

_IMMEDIATE_FIELDS: Final = ("phase", "reason", "observed_generation", "attempt", "bot_pod", "leave_requested_at")
_DEFERRABLE_CONDITIONS: Final = frozenset(
    {
        ("PodScheduled", "True", "Scheduled"),
        ("Reporting", "True", "Connected"),
        ("Sandboxed", "True", "Seccomp"),
        ("Joined", "False", "Left"),  # after phase Leaving
    }
)
_DEFERRABLE_TYPES: Final = frozenset({"AudioReceived", "VideoReceived"})
"""Of these only ``False`` is news that somebody waits for."""
"""Good news about details, and what is known already; it waits for the next write instead of costing one."""


def compose(snapshot: Snapshot) -> MeetingSessionStatus:
    """The whole status; what is not known now keeps what was known before."""
    session, before, spec = snapshot.session, snapshot.session.status, snapshot.session.spec
    identifier = identity.session_id(session.uid)
    changes: dict[str, Any] = {
        "phase": snapshot.phase,
        "reason": snapshot.reason,
        "message": well_formed(snapshot.message or "")[:MAX_MESSAGE] or None,
        "session_id": identifier,
        "platform": snapshot.platform or before.platform,
        "observed_generation": session.generation,
        "scheduled_time": before.scheduled_time or snapshot.now,
        "table_hash": before.table_hash or snapshot.table_hash,
        "leave_requested_at": before.leave_requested_at or (snapshot.now if snapshot.leaving else None),
        "join_timestamp": snapshot.joined_at,
        "completion_time": before.completion_time or (snapshot.now if snapshot.phase.terminal else None),
    }
    if snapshot.pod_name is not None:
        changes |= {"attempt": before.attempt or 1, "bot_pod": snapshot.pod_name}
        changes["node"] = (snapshot.pod.node if snapshot.pod is not None else None) or before.node
        if spec.recording.enabled:
            changes["output_directory"] = identity.volume_path(session.namespace, identifier)
    if snapshot.report is not None:
        changes |= _from_report(snapshot, snapshot.report)
    changes["conditions"] = conditions.compute(snapshot)
    return before.model_copy(update=changes)


def _from_report(snapshot: Snapshot, report: Report) -> dict[str, Any]:
    before = snapshot.session.status
    found: dict[str, Any] = {
        "leave_timestamp": report.left_at or before.leave_timestamp,
        "segment_count": report.recording.segments,
        "audio_file_count": report.recording.audio_files,
        "video_file_count": report.recording.video_files,
        "total_size_bytes": report.recording.bytes,
        "evidence": [page_text(path, MAX_TEXT) for path in report.evidence[:MAX_EVIDENCE]] or None,
        "table_hash": report.table_hash or before.table_hash,
    }
    if snapshot.joined_at is not None:
        seconds = max(0, round(((report.left_at or report.time) - snapshot.joined_at).total_seconds()))
        found |= {"total_duration_seconds": seconds, "duration": duration(seconds)}
        # After the end nobody is in the meeting with the bot, whatever the last report's page still showed.
        named = _names(report.people.current)
        present = [] if snapshot.phase.terminal else named
        count = 0 if snapshot.phase.terminal else max(report.people.present, len(named))
        history = list(dict.fromkeys([*(each.name for each in before.participant_history or ()), *named]))
        found |= {
            "current_participants": [Participant(name=name) for name in present[:MAX_PEOPLE]],
            "participant_count": count,
            "participant_history": [Participant(name=name) for name in history[:MAX_PEOPLE]],
            "participant_history_count": max(report.people.seen, before.participant_history_count or 0),
        }
    return found


def _names(reported: Iterable[str]) -> list[str]:
    # Cleaned here too: a bot of another version, or a broken one, must not choose what a status shows.
    return [name for each in reported if (name := page_text(each, MAX_TEXT))]


def duration(seconds: int) -> str:
    """``3725`` → ``1h2m``, ``62`` → ``1m2s``: for a column, two units at most."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def merge_patch(before: MeetingSessionStatus, after: MeetingSessionStatus) -> dict[str, Any]:
    """What turns ``before`` into ``after``, as an RFC 7396 merge patch; lists go whole, removed fields as ``None``."""
    old, new = _document(before), _document(after)
    changed: dict[str, Any] = {key: value for key, value in new.items() if old.get(key) != value}
    return changed | {key: None for key in old if key not in new}


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


def _document(status: MeetingSessionStatus) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
