"""Whether a report or a pod changed anything that a decision depends on; the rest waits for the next write.

A bot reports each second. Only what passes here wakes a worker, which is what lets one process follow a thousand.
"""

from dataclasses import replace

from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.report import Report
from meeting_buddy.domain.facts import PodFacts


def is_significant(before: Report | None, after: Report) -> bool:
    """Whether ``after`` deserves a look at its session now.

    The last word of a bot that was leaving does not: its pod ends next, and says it, too.
    """
    if before is None:
        return True
    ends = (before.phase, after.phase) == (ReportPhase.LEAVING, ReportPhase.ENDED)
    return not ends and _weight(before) != _weight(after)


def is_pod_significant(before: PodFacts | None, after: PodFacts) -> bool:
    """Whether ``after`` deserves a look at its session now; that a pod got its node at once does not."""
    if before is None or before.scheduled is not None or after.scheduled is None or after.scheduled.status != "True":
        return before != after
    return replace(before, node=after.node, scheduled=after.scheduled) != after


def _weight(report: Report) -> tuple[object, ...]:
    return (
        report.attempt,
        report.phase,
        report.reason,
        report.waiting,
        report.joined_at,
        report.left_at,
        report.browser.sandbox,
        report.memory_pressure,
        report.storage_pressure,
        report.storage_unresponsive,
        report.transcription.state == "Failed",
        report.media.audio.received is False,
        report.media.video.received is False,
    )
