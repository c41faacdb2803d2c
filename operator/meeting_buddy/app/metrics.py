"""Prometheus metrics, named as controllers usually name them; labels are bounded, never a session's name or a link."""

from collections.abc import Callable
from functools import cache, partial
from typing import Final

from prometheus_client import Counter

from meeting_buddy.app.watch_listener import Reopened
from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table_override import OverrideState
from meeting_buddy.process.metrics import ProcessMetrics
from meeting_buddy.resource.session import VERSION

_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)


@cache
def _labelled(counter: Counter, *labels: str | int) -> Counter:
    """One of a counter's; the library looks it up anew each time, which takes longer than to count."""
    return counter.labels(*labels)


class Metrics(ProcessMetrics):
    """Implements ``controller.telemetry.Telemetry`` and counts API calls."""

    def __init__(self) -> None:
        super().__init__("meetingbuddy_", _SECONDS)
        self._transitions = self._counter(
            "session_transitions",
            "Phases that were written, with the one before; before is empty for a new session",
            "before",
            "after",
        )
        self._outcomes = self._counter(
            "session_outcomes", "Sessions that ended, by last phase and reason", "result", "reason"
        )
        self._apply_to_pod = self._histogram(
            "apply_to_pod_seconds", "Seconds from a session, or from when its pod was due, to the pod"
        )
        self._start_lateness = self._histogram(
            "start_lateness_seconds",
            "Seconds by which the pod of a session that waited for its start time was made later than it was due",
        )
        self._join = self._histogram(
            "join_seconds",
            "Seconds from a session, or from when its pod was due, to its bot being in the meeting",
        )
        self._lines = self._counter(
            "transcript_lines", "Finished lines of transcripts, counted with the writes of statuses", "platform"
        )
        self._transcripts = self._counter(
            "transcripts",
            "Transcripts of sessions that ended: Complete, Incomplete, VerificationFailed or Failed",
            "platform",
            "result",
        )
        self._lag = self._histogram(
            "transcript_lag_seconds",
            "Seconds that a transcript was behind, at each write of its session's status",
        )
        self._requests = self._counter(
            "api_requests",
            "Calls to the API server by kind and status (0: no answer); without what kopf asks",
            "verb",
            "resource",
            "code",
        )
        self._errors = self._counter(
            "reconcile_errors",
            "Reconciliations that failed, by the call that was refused (code 0: no answer); "
            "both empty: none was, the operator itself failed",
            "resource",
            "code",
        )
        self._listings = self._counter(
            "listing_failures", "Listings of a watched namespace that failed; empty: of all", "namespace"
        )
        self._watch_age = self._gauge(
            "watch_age_seconds",
            "Seconds since a watch was opened, or sent an event or a bookmark; namespace empty: all",
            "resource",
            "namespace",
        )
        self._reopened = self._counter(
            "watch_reopened",
            "Watches that were opened again, because they were silent for too long, closed by the API server, broken, "
            "expired (410) or restarted with all others of their namespace",
            "reason",
        )
        for reason in Reopened:
            self._reopened.labels(reason.value)
        self._reconciled = self._counter("reconcile", "Reconciliations, by result", "result")
        self._waited = self._histogram(
            "workqueue_queue_duration_seconds", "Seconds that a session waited in the queue for a worker"
        )
        self._worked = self._histogram("reconcile_time_seconds", "Seconds that one reconciliation took")
        self._refused = self._gauge(
            "bot_class_refused", "Whether the API server refuses a bot class' pods", "bot_class", "namespace"
        )
        self._reader_keys = self._gauge(
            "reader_key_missing",
            "Whether a namespace's recordings reader has no key, because the API server refuses its Secret",
            "namespace",
        )
        self._overrides = self._gauge(
            "platform_table_overrides",
            "Whether an administrator's platform table is used, used though written for another version, or invalid",
            "platform",
            "state",
        )
        self._crd = self._gauge(
            "crd_schema_matches",
            "Whether the cluster's CRD is the one of this version; absent when it could not be read",
            "version",
        )
        self._reports = self._counter(
            "reports", "Reports of bots: accepted, foreign, unreadable; and streams that were cut", "result"
        )

    def gauge(self, name: str, meaning: str, function: Callable[[], float]) -> None:
        """A gauge that is read when it is asked for."""
        self._gauge(name, meaning).set_function(function)

    def sessions(self, count: Callable[[Phase], float]) -> None:
        """Sessions by phase, counted when asked for."""
        gauge = self._gauge("sessions", "Sessions by phase", "phase")
        for phase in Phase:
            gauge.labels(phase.value).set_function(partial(count, phase))

    def request(self, method: str, kind: str, status: int) -> None:
        """The API server was called."""
        _labelled(self._requests, method, kind, status).inc()

    def pod_created(self, seconds: float, *, scheduled: bool) -> None:
        """A bot's pod was created."""
        self._apply_to_pod.observe(seconds)
        if scheduled:
            self._start_lateness.observe(seconds)

    def transition(self, before: Phase | None, after: Phase) -> None:
        """A phase was written."""
        _labelled(self._transitions, before.value if before else "", after.value).inc()

    def outcome(self, phase: Phase, reason: Reason) -> None:
        """A session ended."""
        self._outcomes.labels(phase.value, reason.value).inc()

    def joined(self, seconds: float) -> None:
        """A bot was in the meeting."""
        self._join.observe(seconds)

    def transcript_progress(self, platform: str, lines: int, lag: float | None) -> None:
        """A status was written that has so many more lines; ``lag`` in seconds."""
        if lines > 0:
            self._lines.labels(platform).inc(lines)
        if lag is not None:
            self._lag.observe(lag)

    def transcript_ended(self, platform: str, result: str) -> None:
        """A session that had a transcript ended."""
        self._transcripts.labels(platform, result).inc()

    def reconciled(self, waited: float, seconds: float, *, failed: bool) -> None:
        """A reconciliation ended; its key had waited so long in the queue."""
        _labelled(self._reconciled, "error" if failed else "success").inc()
        self._waited.observe(waited)
        self._worked.observe(seconds)

    def bot_class(self, bot_class: str, namespace: str, refused: bool) -> None:
        """The API server answered a dry run for a class; both labels come from the configuration."""
        self._refused.labels(bot_class, namespace).set(refused)

    def reader_key(self, namespace: str, missing: bool) -> None:
        """The API server answered to the creation of a reader's key; the namespace comes from the configuration."""
        self._reader_keys.labels(namespace).set(missing)

    def watch_age(self, resource: str, namespace: str, age: Callable[[], float]) -> None:
        """A watch was opened for the first time; the namespace comes from the configuration."""
        self._watch_age.labels(resource, namespace).set_function(age)

    def watch_reopened(self, reason: Reopened) -> None:
        """A watch that was open before is open again."""
        self._reopened.labels(reason.value).inc()

    def crd_schema(self, matches: bool | None) -> None:
        """The CRD was looked at; ``None``: it could not be read."""
        if matches is None:
            self._crd.clear()
        else:
            self._crd.labels(VERSION).set(matches)

    def platform_table(self, platform: PlatformName, found: OverrideState | None) -> None:
        """A platform's table was read; ``found``: what became of the administrator's document, if there is one."""
        if found is not None:
            for state in OverrideState:
                self._overrides.labels(platform, state.value).set(state is found)

    def reconcile_failed(self, resource: str, code: str) -> None:
        """A reconciliation failed."""
        self._errors.labels(resource, code).inc()

    def listing_failed(self, namespace: str) -> None:
        """A namespace could not be listed."""
        self._listings.labels(namespace).inc()

    def report(self, result: str) -> None:
        """A report arrived, or the stream was cut."""
        _labelled(self._reports, result).inc()
