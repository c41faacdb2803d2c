"""Figures and how they are printed: one line each, measured value, baseline of the same run, goal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing beside its baseline."""

    name: str
    measured: str
    baseline: str
    goal: str

    def __str__(self) -> str:
        return f"  {self.name:34} {self.measured:30} {self.baseline:38} goal: {self.goal}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of ``values`` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def spread(values: Sequence[float]) -> str:
    """Median and 99th percentile of seconds, as text."""
    return f"median {statistics.median(values) * 1000:.0f} ms, p99 {percentile(values, 0.99) * 1000:.0f} ms"


def seconds(values: Sequence[float]) -> str:
    """Median of seconds with its extremes, as text."""
    return f"median {statistics.median(values):.1f} s ({min(values):.1f}–{max(values):.1f})"
