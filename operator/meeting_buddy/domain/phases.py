"""Which phase the facts show, and the rule that inside an attempt a phase never falls back.

Every phase that leads somewhere is reachable without the bot's stream: the container started = Joining, it is ready =
Active, the pod ended = the outcome. Recording and Leaving need the stream and are skipped without it.
"""

from typing import Final

from meeting_buddy.contract.phases import Phase, ReportPhase
from meeting_buddy.contract.report import Report
from meeting_buddy.domain.facts import PodFacts

_OF_REPORT: Final = {
    ReportPhase.JOINING: Phase.JOINING,
    ReportPhase.ACTIVE: Phase.ACTIVE,
    ReportPhase.RECORDING: Phase.RECORDING,
    ReportPhase.LEAVING: Phase.LEAVING,
    # A report never ends a session: the pod does. Until then the bot is on its way out.
    ReportPhase.ENDED: Phase.LEAVING,
}


def of_pod(pod: PodFacts | None) -> Phase:
    """The phase that the pod alone shows."""
    if pod is None:
        return Phase.INITIALIZING
    if pod.bot.ready:
        return Phase.ACTIVE
    return Phase.JOINING if pod.bot.running or pod.bot.terminated else Phase.INITIALIZING


def of_report(report: Report | None) -> Phase:
    """The phase that the last report shows."""
    return Phase.INITIALIZING if report is None else _OF_REPORT[report.phase]


def current(previous: Phase | None, pod: PodFacts | None, report: Report | None) -> Phase:
    """The highest of what was written, what the pod shows and what the report shows; never a terminal phase."""
    return max((previous or Phase.INITIALIZING, of_pod(pod), of_report(report)), key=lambda phase: phase.rank)
