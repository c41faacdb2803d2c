"""Those who wait look often where that costs nothing, and seldom where it keeps the processors from what they await."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from tests.support.awaiting import until, wait_until


class Looks:
    """What is looked at, on a clock of its own: found in the look that ends after ``found_after`` seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cost: float, found_after: float) -> None:
        self._cost, self._found_after = cost, found_after
        self._now = 0.0
        self.begun: list[float] = []
        monkeypatch.setattr(time, "monotonic", lambda: self._now)
        monkeypatch.setattr(time, "sleep", self._pass)
        monkeypatch.setattr(asyncio, "sleep", self._pass_asleep)

    @property
    def pauses(self) -> list[float]:
        """Seconds between each look and the next."""
        return [second - first - self._cost for first, second in pairwise(self.begun)]

    def look(self) -> bool:
        self.begun.append(self._now)
        self._pass(self._cost)
        return self._now >= self._found_after

    def _pass(self, seconds: float) -> None:
        self._now += seconds

    async def _pass_asleep(self, seconds: float) -> None:
        self._pass(seconds)


async def wait(looks: Looks, *, in_the_loop: bool) -> None:
    if in_the_loop:
        await until(looks.look)
    else:
        wait_until(looks.look, "it")


@pytest.mark.parametrize("in_the_loop", [True, False])
async def test_a_cheap_look_is_taken_fifty_times_a_second(monkeypatch: pytest.MonkeyPatch, in_the_loop: bool) -> None:
    with monkeypatch.context() as patched:
        looks = Looks(patched, cost=0.0, found_after=10.0)
        await wait(looks, in_the_loop=in_the_loop)
    assert looks.pauses == pytest.approx([0.02] * len(looks.pauses))


@pytest.mark.parametrize("in_the_loop", [True, False])
async def test_a_costly_look_is_taken_less_often_the_longer_it_finds_nothing(
    monkeypatch: pytest.MonkeyPatch, in_the_loop: bool
) -> None:
    with monkeypatch.context() as patched:
        looks = Looks(patched, cost=0.1, found_after=10.0)
        await wait(looks, in_the_loop=in_the_loop)
    assert looks.pauses == pytest.approx(sorted(looks.pauses))
    assert (looks.pauses[0], looks.pauses[-1]) == pytest.approx((0.02, 0.5))
    assert len(looks.begun) < 30


async def test_what_never_holds_ends_in_a_time_out() -> None:
    with pytest.raises(TimeoutError):
        await until(lambda: False, 0.1)
    with pytest.raises(AssertionError, match=r"not within 0\.1 s: the end"):
        wait_until(lambda: False, "the end", 0.1)
