"""The session's clock."""

from datetime import UTC, datetime, timedelta

import pytest

from meeting_buddy_bot.support.clock import SessionClock


def test_it_starts_at_zero_and_never_falls() -> None:
    clock = SessionClock()
    readings = [clock.now() for _ in range(1000)]
    assert 0 <= readings[0] < 1
    assert readings == sorted(readings)


def test_utc_is_the_anchor_plus_seconds() -> None:
    clock = SessionClock()
    assert clock.utc(90.5) - clock.utc(0.0) == timedelta(seconds=90.5)
    assert clock.utc(0.0) <= clock.utc() <= clock.utc(1.0)
    assert clock.utc().utcoffset() == timedelta(0)


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_no_time_passes_by_a_step_of_the_wall_clock(step: float) -> None:
    clock, zero = SessionClock(), datetime.now(UTC) - timedelta(seconds=step + 100.0)
    clock.go_on(zero, 70.0, step)
    assert clock.now() == pytest.approx(100.0, abs=1.0)
    assert clock.utc(0.0) == zero
