"""Whether a report changed anything that a decision depends on; the rest is progress and waits for its minute.

A bot reports each second. Only what passes here wakes a worker, which is what lets one process follow a thousand.
"""

from meeting_buddy.contract.report import Report


def is_significant(before: Report | None, after: Report) -> bool:
    """Whether ``after`` deserves a look at its session now."""
    return before is None or _weight(before) != _weight(after)


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
