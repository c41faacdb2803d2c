"""What is counted when /metrics is asked for: sessions, queue, streams, Lease."""

from collections.abc import Sized
from typing import Protocol

from meeting_buddy.app.metrics import Metrics
from meeting_buddy.contract.phases import Phase
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache


class _Held(Protocol):
    @property
    def held(self) -> bool: ...


def register(metrics: Metrics, cache: SessionCache, queue: KeyedQueue, streams: Sized, lease: _Held) -> None:
    """Gauges of what these are like at the moment; to be asked inside the event loop.

    ``streams`` has as many as bots are followed.
    """
    metrics.sessions(
        lambda phase: sum(
            1
            for entry in cache
            if entry.session is not None and (entry.session.status.phase or Phase.INITIALIZING) is phase
        )
    )
    metrics.gauge("workqueue_depth", "Sessions that wait in the queue for a worker", lambda: len(queue))
    metrics.gauge(
        "workqueue_oldest_seconds",
        "Seconds that the session which waits longest has waited in the queue; 0 when none waits",
        lambda: queue.oldest_age,
    )
    metrics.gauge("cache_objects", "Sessions in the cache", lambda: len(cache))
    metrics.gauge(
        "sessions_failing",
        "Sessions whose reconciliation failed several times in a row, or whose pod a quota or a webhook keeps out",
        lambda: sum(entry.has_persistent_error or _is_kept_out(entry) for entry in cache),
    )
    metrics.gauge("streams", "Bots whose reports are followed", lambda: len(streams))
    metrics.gauge(
        "streams_connected",
        "Bots whose reports can be read at the moment, as a stream or by asking",
        lambda: sum(
            known.stream is not None and known.stream.connected for entry in cache for known in entry.attempts.values()
        ),
    )
    metrics.gauge("leader", "Whether this replica acts", lambda: float(lease.held))


def _is_kept_out(entry: CacheEntry) -> bool:
    """Whether the API server refuses the pod that the session waits for, and is asked for it again and again."""
    status = entry.session.status if entry.session is not None else None
    if status is None or status.ended or status.phase is Phase.SCHEDULED:
        return False
    rejection = entry.of(entry.current).rejection
    return rejection is not None and rejection.may_pass
