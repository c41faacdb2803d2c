"""Prometheus metrics, named as controllers usually name them; labels are bounded, never a session's name or a link."""

from collections.abc import Callable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from meeting_buddy import __version__
from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table_override import OverrideState

_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)


class Metrics:
    """Implements ``controller.telemetry.Telemetry`` and counts API calls."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        name = "meetingbuddy_"
        self._transitions = self._counter(name + "session_transitions", "Phase transitions", "before", "after")
        self._outcomes = self._counter(name + "session_outcomes", "Sessions that ended", "result", "reason")
        self._apply_to_pod = self._histogram(name + "apply_to_pod_seconds", "Seconds from a session to its pod")
        self._join = self._histogram(name + "join_seconds", "Seconds from a session to its bot being in the meeting")
        self._lines = self._counter(name + "transcript_lines", "Finished lines of transcripts", "platform")
        self._transcripts = self._counter(
            name + "transcripts", "Transcripts of sessions that ended, by result", "platform", "result"
        )
        self._lag = self._histogram(
            name + "transcript_lag_seconds",
            "Seconds that a transcript was behind, at each write of its session's status",
        )
        self._requests = self._counter(name + "api_requests", "Calls to the API server", "verb", "resource", "code")
        self._errors = self._counter(
            name + "reconcile_errors", "Reconciliations that failed, by the call that was refused", "resource", "code"
        )
        self._listings = self._counter(
            name + "listing_failures", "Listings of a watched namespace that failed", "namespace"
        )
        self._reconciled = self._counter(name + "reconcile", "Reconciliations, by result", "result")
        self._waited = self._histogram(name + "workqueue_queue_duration_seconds", "Seconds a key waited in the queue")
        self._worked = self._histogram(name + "reconcile_time_seconds", "Seconds one reconciliation took")
        self._refused = Gauge(
            name + "bot_class_refused",
            "Whether the API server refuses a bot class' pods",
            ["bot_class", "namespace"],
            registry=self.registry,
        )
        self._reader_keys = Gauge(
            name + "reader_key_missing",
            "Whether a namespace's recordings reader has no key, because the API server refuses its Secret",
            ["namespace"],
            registry=self.registry,
        )
        self._overrides = Gauge(
            name + "platform_table_overrides",
            "Whether an administrator's platform table is used, used though written for another version, or invalid",
            ["platform", "state"],
            registry=self.registry,
        )
        self._reports = self._counter(name + "reports", "Bot reports received, by result", "result")
        Gauge(name + "build_info", "Version", ["version"], registry=self.registry).labels(__version__).set(1)

    def gauge(self, name: str, meaning: str, function: Callable[[], float]) -> None:
        """A gauge that is read when it is asked for."""
        Gauge(f"meetingbuddy_{name}", meaning, registry=self.registry).set_function(function)

    def sessions(self, count: Callable[[Phase], float]) -> None:
        """Sessions by phase, counted when asked for."""
        gauge = Gauge("meetingbuddy_sessions", "Sessions by phase", ["phase"], registry=self.registry)
        for phase in Phase:
            gauge.labels(phase.value).set_function(partial(count, phase))

    def page(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)

    def request(self, method: str, kind: str, status: int) -> None:
        """The API server was called."""
        self._requests.labels(method, kind, str(status)).inc()

    def pod_created(self, seconds: float) -> None:
        """A bot's pod was created."""
        self._apply_to_pod.observe(seconds)

    def transition(self, before: Phase | None, after: Phase) -> None:
        """A phase was written."""
        self._transitions.labels(before.value if before else "", after.value).inc()

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
        self._reconciled.labels("error" if failed else "success").inc()
        self._waited.observe(waited)
        self._worked.observe(seconds)

    def bot_class(self, bot_class: str, namespace: str, refused: bool) -> None:
        """The API server answered a dry run for a class; both labels come from the configuration."""
        self._refused.labels(bot_class, namespace).set(refused)

    def reader_key(self, namespace: str, missing: bool) -> None:
        """The API server answered to the creation of a reader's key; the namespace comes from the configuration."""
        self._reader_keys.labels(namespace).set(missing)

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
        self._reports.labels(result).inc()

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str) -> Histogram:
        return Histogram(name, meaning, registry=self.registry, buckets=_SECONDS)
