"""Facts of a session that exists, with what every rule asks of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from meeting_buddy.contract import identity
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.domain import reconcile_error
from meeting_buddy.domain.admission import AdmissionResult, validate
from meeting_buddy.domain.facts import Facts, PodFacts, SessionFacts
from meeting_buddy.domain.plan import Action, DeletePod, ReleaseFinalizer
from meeting_buddy.domain.view import View
from meeting_buddy.resource.bot_class import Timeouts


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One session that exists, at one moment."""

    facts: Facts
    session: SessionFacts
    now: datetime

    @property
    def attempt(self) -> int:
        return self.session.status.attempt or 1

    @property
    def pod(self) -> PodFacts | None:
        return next((pod for pod in self.facts.pods if pod.attempt == self.attempt), None)

    @property
    def leaving(self) -> bool:
        return self.session.spec.leave or self.session.status.leave_requested_at is not None

    @property
    def timeouts(self) -> Timeouts:
        bot_class = self.facts.installation.bot_class
        return bot_class.timeouts if bot_class is not None else Timeouts()

    @property
    def startup_deadline(self) -> datetime:
        anchor = self.pod.waiting_since if self.pod is not None else self.session.status.scheduled_time or self.now
        return anchor + timedelta(seconds=self.timeouts.startup_timeout_seconds)


def view_of(
    snapshot: Snapshot,
    phase: Phase,
    reason: Reason | None,
    message: str | None,
    report: Report | None,
    *,
    admission: AdmissionResult | None = None,
    creating: bool = False,
) -> View:
    admission = admission or validate(snapshot.session.spec, snapshot.facts.installation)
    session, platform = snapshot.session, admission.platform
    has_pod = creating or snapshot.pod is not None or session.status.bot_pod is not None
    return View(
        session=session,
        phase=phase,
        now=snapshot.now,
        platform=platform,
        table_hash=snapshot.facts.installation.tables.get(platform) if platform is not None and has_pod else None,
        reason=reason,
        message=message,
        pod=snapshot.pod,
        pod_name=identity.pod_name(session.name, session.uid, snapshot.attempt) if has_pod else None,
        report=report,
        stream=snapshot.facts.stream,
        leaving=snapshot.leaving,
        error=reconcile_error.current(snapshot.facts) if not creating else None,
    )


def delete_and_release(pod: PodFacts) -> Iterator[Action]:
    if pod.deleted_at is None:
        yield DeletePod(pod.name, pod.uid)
    if pod.finalizer:
        yield ReleaseFinalizer(pod.name)
