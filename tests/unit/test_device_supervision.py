"""A device that does not come back is given up soon, with its cause, whether it dies at its start or hangs."""

import asyncio
from collections import deque
from typing import Any, cast

import pytest

from meeting_buddy_bot.devices import device as device_module
from meeting_buddy_bot.devices import supervision
from meeting_buddy_bot.devices.device import Device, DeviceError
from meeting_buddy_bot.devices.supervision import MAX_DEATHS
from meeting_buddy_bot.support.clock import SessionClock


class Time:
    """Passes as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []
        monkeypatch.setattr(asyncio, "sleep", self.pause)

    def now(self) -> float:
        return self.seconds

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


class FakeDevice:
    """Fails at its first ``failing`` starts, each after ``seconds``."""

    name = "PulseAudio"

    def __init__(self, time: Time, seconds: float, failing: int) -> None:
        self.starts = 0
        self._time, self._seconds, self._failing = time, seconds, failing

    async def start(self) -> None:
        self.starts += 1
        assert self.starts < 1000, "it is never given up"
        if self.starts <= self._failing:
            self._time.seconds += self._seconds
            raise DeviceError("PulseAudio did not answer in 15 s: without a word")


async def restart(device: FakeDevice, time: Time) -> DeviceError | None:
    return await supervision._restart(
        cast(Device, device), deque[float](maxlen=MAX_DEATHS), cast(SessionClock, cast(Any, time))
    )


@pytest.mark.parametrize("seconds", [0.1, 15.0])
async def test_a_device_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    time = Time(monkeypatch)
    device = FakeDevice(time, seconds, failing=1000)
    assert str(await restart(device, time)) == (
        "PulseAudio was started 5 times in vain: PulseAudio did not answer in 15 s: without a word"
    )
    assert device.starts == MAX_DEATHS
    assert time.seconds < MAX_DEATHS * (seconds + 5)


async def test_one_that_comes_back_at_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    device = FakeDevice(time, 15.0, failing=MAX_DEATHS - 1)
    assert await restart(device, time) is None
    assert max(time.pauses) <= 5


async def test_one_that_dies_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    device = FakeDevice(time, 0, failing=0)
    deaths: deque[float] = deque(maxlen=MAX_DEATHS)
    for _ in range(MAX_DEATHS):
        assert await supervision._restart(cast(Device, device), deaths, cast(SessionClock, cast(Any, time))) is None
    error = await supervision._restart(cast(Device, device), deaths, cast(SessionClock, cast(Any, time)))
    assert str(error) == "PulseAudio died 6 times within 60 s"


class StubbornDevice(Device):
    """Does not come up at its first ``failing`` starts: it ends, or says nothing."""

    name = "PulseAudio"

    def __init__(self, failing: int, failure: str) -> None:
        super().__init__()
        self._failing, self._failure = failing, failure

    def _argv(self) -> list[str]:
        return ["false"] if self.starts <= self._failing and self._failure == "end" else ["sleep", "1000"]

    def _prepare(self) -> None:
        """Nothing is left over."""

    async def responds(self) -> bool:
        return self.starts > self._failing


@pytest.mark.parametrize(("failure", "seconds"), [("end", 15.0), ("silence", 0.5)])
async def test_one_that_does_not_come_up_is_started_once_more(
    monkeypatch: pytest.MonkeyPatch, failure: str, seconds: float
) -> None:
    monkeypatch.setattr(device_module, "_START_SECONDS", seconds)
    async with StubbornDevice(1, failure) as device:
        assert (device.starts, device.answering) == (2, True)


async def test_one_that_ends_both_times_does_not_come_up() -> None:
    with pytest.raises(DeviceError, match="PulseAudio ended at its start: without a word"):
        async with StubbornDevice(2, "end"):
            raise AssertionError("it came up")
