"""Who may run tests beside whom."""

import threading
from itertools import count
from pathlib import Path

import pytest

from tests.local.machine.machine_lock import SLOTS, cluster, slots
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
    [(1, set(range(1, SLOTS))), (SLOTS - 1, {SLOTS - 1}), (SLOTS, set())],
    ids=["ordinary", "busy", "alone"],
)
def test_so_many_others_run_beside_a_test(tmp_path: Path, count: int, beside: set[int]) -> None:
    with slots(0, count, tmp_path):
        assert all(taken(tmp_path, number).wait(60) for number in beside)
        waiting = [taken(tmp_path, number) for number in set(range(SLOTS)) - beside]
        assert not any(event.wait(0.1) for event in waiting)
    assert all(event.wait(60) for event in waiting)


def test_who_waits_for_a_slot_keeps_nobody_from_another(tmp_path: Path) -> None:
    with slots(0, 1, tmp_path):
        waiting = taken(tmp_path, 0)
        assert not waiting.wait(0.1)
        assert taken(tmp_path, 1).wait(60)
        assert taken(tmp_path, 2).wait(60)
    assert waiting.wait(60)


def test_who_wants_the_machine_alone_is_not_kept_out_by_those_who_come_later(tmp_path: Path) -> None:
    with slots(2, 1, tmp_path):
        alone = taken(tmp_path, 1, SLOTS)
        assert not alone.wait(1)
        later = taken(tmp_path, 1)
        assert not later.wait(0.1)
    assert alone.wait(60)
    assert later.wait(60)


def has_cluster(folder: Path, *, alone: bool) -> threading.Event:
    """Set once somebody else had the cluster."""
    had = threading.Event()

    def take() -> None:
        with cluster(alone=alone, folder=folder):
            had.set()

    threading.Thread(target=take, daemon=True).start()
    return had


def test_many_use_the_cluster_or_one_has_it_alone(tmp_path: Path) -> None:
    with cluster(alone=False, folder=tmp_path):
        assert has_cluster(tmp_path, alone=False).wait(60)
        alone = has_cluster(tmp_path, alone=True)
        assert not alone.wait(1)
        later = has_cluster(tmp_path, alone=False)
        assert not later.wait(0.1), "it would keep out the one who waits"
    assert alone.wait(60)
    assert later.wait(60)
    with cluster(alone=True, folder=tmp_path):
        assert taken(tmp_path, 0, SLOTS).wait(60), "the machine is free meanwhile"
        other = has_cluster(tmp_path, alone=False)
        assert not other.wait(0.1)
    assert other.wait(60)


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
