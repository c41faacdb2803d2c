"""What the operator tells on /metrics, read by Prometheus' own parser."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from tests.local.machine import direct


def samples(host: str, port: int, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of each sample of this name. Raises `OSError`."""
    with direct.opener().open(f"http://{host}:{port}/metrics", timeout=60) as answer:
        page = answer.read().decode()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == name:
                yield sample.labels, sample.value
