"""Who may run tests beside whom."""

import threading
from itertools import count
from pathlib import Path

import pytest

from tests.local.machine.machine_lock import SLOTS, slots
from tests.support.machine_wide import free_display


def taken(folder: Path, first: int, count: int = 1) -> threading.Event:
    """Set once somebody else had these slots."""
    had = threading.Event()

    def take() -> None:
        with slots(first, count, folder):
            had.set()

    threading.Thread(target=take, daemon=True).start()
    return had


@pytest.mark.parametrize(
    ("count", "beside"),
    [(1, {1, 2}), (2, {2}), (SLOTS, set())],
    ids=["ordinary", "busy", "alone"],
)
def test_so_many_others_run_beside_a_test(tmp_path: Path, count: int, beside: set[int]) -> None:
    with slots(0, count, tmp_path):
        assert all(taken(tmp_path, number).wait(10) for number in beside)
        waiting = [taken(tmp_path, number) for number in set(range(SLOTS)) - beside]
        assert not any(event.wait(0.1) for event in waiting)
    assert all(event.wait(10) for event in waiting)


def test_who_waits_for_a_slot_keeps_nobody_from_another(tmp_path: Path) -> None:
    with slots(0, 1, tmp_path):
        waiting = taken(tmp_path, 0)
        assert not waiting.wait(0.1)
        assert taken(tmp_path, 1).wait(10)
        assert taken(tmp_path, 2).wait(10)
    assert waiting.wait(10)


def test_who_wants_the_machine_alone_is_not_kept_out_by_those_who_come_later(tmp_path: Path) -> None:
    with slots(2, 1, tmp_path):
        alone = taken(tmp_path, 1, SLOTS)
        assert not alone.wait(0.1)
        later = taken(tmp_path, 1)
        assert not later.wait(0.1)
    assert alone.wait(10)
    assert later.wait(10)


def test_a_display_of_which_something_is_left_over_is_passed_by() -> None:
    # The lock of a killed Xvfb that ran as root: who is not root can neither use nor remove it.
    others = (Path(f"/tmp/.X{number}-lock") for number in count(free_display() + 1))
    leftover = next(lock for lock in others if not lock.exists())
    with leftover.open("x") as file:
        file.write("        99\n")
    try:
        assert leftover != Path(f"/tmp/.X{free_display()}-lock")
    finally:
        leftover.unlink()
