"""What all metrics of a process have in common: one registry, with the process and its collector, and its page."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

from meeting_buddy import __version__


class Described(NamedTuple):
    """One of our metrics, for a README's table."""

    name: str
    """As it is asked for: a counter's with ``_total``."""
    kind: str
    labels: tuple[str, ...]
    meaning: str


class ProcessMetrics:
    """What a process counts. Register nothing else: the registry is its own."""

    def __init__(self, prefix: str, seconds: tuple[float, ...]) -> None:
        """``prefix``: of each name; ``seconds``: upper bounds of the histograms' buckets."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.described: list[Described] = []
        """What was registered, in that order; without what the client library tells of process and collector."""
        self._prefix = prefix
        self._buckets = seconds
        self._gauge("build_info", "1; the label says which version runs", "version").labels(__version__).set(1)

    def page(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(self._described(name, "counter", meaning, labels), meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(self._described(name, "gauge", meaning, labels), meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        full = self._described(name, "histogram", meaning, labels)
        return Histogram(full, meaning, labels, registry=self.registry, buckets=self._buckets)

    def _described(self, name: str, kind: str, meaning: str, labels: tuple[str, ...]) -> str:
        name = f"{self._prefix}{name}"
        self.described.append(Described(f"{name}_total" if kind == "counter" else name, kind, labels, meaning))
        return name
