"""Who may run tests beside whom."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.local.machine.machine_lock import SLOTS, Held, Needs, Use
from tests.support.machine_wide import free_display

ONE = Needs()


@contextmanager
def holding(folder: Path, needs: Needs = ONE) -> Iterator[None]:
    held = Held(folder)
    held.take(needs)
    try:
        yield
    finally:
        held.give_back()


def taken(folder: Path, needs: Needs = ONE) -> threading.Event:
    """Set once somebody else had that."""
    had = threading.Event()

    def take() -> None:
        with holding(folder, needs):
            had.set()

    threading.Thread(target=take, daemon=True).start()
    return had


def test_so_many_run_side_by_side(tmp_path: Path) -> None:
    with ExitStack() as others:
        for _ in range(SLOTS):
            others.enter_context(holding(tmp_path))
        assert taken(tmp_path, Needs(slot=False)).wait(60), "one that only waits takes none"
        waiting = [taken(tmp_path), taken(tmp_path)]
        assert not any(event.wait(0.1) for event in waiting)
    assert all(event.wait(60) for event in waiting)


@pytest.mark.parametrize("freed", range(SLOTS))
def test_who_waits_for_a_slot_gets_whichever_is_free_first(tmp_path: Path, freed: int) -> None:
    with ExitStack() as others:
        slots = [ExitStack() for _ in range(SLOTS)]
        for slot in slots:
            others.push(slot)
            slot.enter_context(holding(tmp_path))
        waiting = [taken(tmp_path), taken(tmp_path)]
        assert not any(event.wait(0.1) for event in waiting)
        slots[freed].close()
        assert all(event.wait(60) for event in waiting), "one after the other"


@pytest.mark.parametrize(
    ("shared", "alone"),
    [
        (Needs(cluster=Use.SHARED), Needs(cluster=Use.ALONE)),
        (Needs(meeting=Use.SHARED), Needs(meeting=Use.ALONE)),
    ],
    ids=["cluster", "meeting"],
)
def test_many_use_what_is_shared_or_one_has_it_alone(tmp_path: Path, shared: Needs, alone: Needs) -> None:
    with holding(tmp_path, shared):
        assert taken(tmp_path, shared).wait(60)
        only = taken(tmp_path, alone)
        assert not only.wait(1)
        later = taken(tmp_path, shared)
        assert not later.wait(0.1), "it would keep out the one who waits"
    assert only.wait(60)
    assert later.wait(60)
    with holding(tmp_path, alone):
        assert taken(tmp_path).wait(60), "the machine is free meanwhile"
        other = taken(tmp_path, shared)
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
