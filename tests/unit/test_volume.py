"""Accesses to the volume: bounded in time, and in number when it hangs."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from meeting_buddy_bot.support import volume as module
from meeting_buddy_bot.support.volume import Volume, VolumeTimeoutError


@pytest.fixture
def answers() -> Iterator[threading.Event]:
    """Set once the volume answers."""
    event = threading.Event()
    yield event
    event.set()


async def test_a_result_and_an_error_come_back(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    assert await volume.call("look", lambda: 42) == 42
    with pytest.raises(FileNotFoundError):
        await volume.call("look", (tmp_path / "missing").stat)


async def test_a_volume_that_does_not_answer_is_an_os_error_in_time(tmp_path: Path, answers: threading.Event) -> None:
    with pytest.raises(VolumeTimeoutError) as caught:
        await Volume(tmp_path).call("list", answers.wait, 0.05)
    assert isinstance(caught.value, OSError)
    assert caught.value.strerror == "the volume does not answer (list)"


async def test_accesses_that_hang_do_not_add_up_for_ever(
    tmp_path: Path, answers: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 3)
    volume = Volume(tmp_path)
    for _ in range(3):
        with pytest.raises(VolumeTimeoutError):
            await volume.call("list", answers.wait, 0.01)
    before = threading.active_count()
    with pytest.raises(VolumeTimeoutError):
        await volume.call("list", answers.wait, 10)
    assert threading.active_count() == before
