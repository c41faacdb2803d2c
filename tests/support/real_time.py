"""What is judged in real time, on a machine whose processors others use too."""

from __future__ import annotations

import pytest

HELD_TWICE = pytest.mark.flaky(reruns=1, only_rerun="LostOnTheWayError")
"""A test whose meeting a starved machine can spoil: it is held once more where words are missing, and for no other
failure. What loses words by itself loses them both times."""
