"""Who may run tests beside whom."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.local.machine.machine_lock import REAL_TIME_SLOTS, SLOTS, Held, Needs, Use
from tests.support.machine_wide import free_display

ONE = Needs()


@contextmanager
def holding(folder: Path, first: int, needs: Needs) -> Iterator[Held]:
    held = Held(first, folder)
    held.take(needs)
    try:
        yield held
    finally:
        held.give_back()


def taken(folder: Path, first: int, needs: Needs = ONE) -> threading.Event:
    """Set once somebody else had that."""
    had = threading.Event()

    def take() -> None:
        with holding(folder, first, needs):
            had.set()

    threading.Thread(target=take, daemon=True).start()
    return had


@pytest.mark.parametrize(
    ("count", "beside"),
    [(1, SLOTS - 1), (REAL_TIME_SLOTS, SLOTS - REAL_TIME_SLOTS), (SLOTS, 0)],
    ids=["ordinary", "real time", "all"],
)
def test_so_many_others_run_beside_a_test(tmp_path: Path, count: int, beside: int) -> None:
    with ExitStack() as others, holding(tmp_path, 0, Needs(count)):
        for _ in range(beside):
            others.enter_context(holding(tmp_path, 0, Needs()))
        assert taken(tmp_path, 0, Needs(0)).wait(60), "one that only waits takes none"
        waiting = [taken(tmp_path, number) for number in range(SLOTS)]
        assert not any(event.wait(0.1) for event in waiting)
    assert all(event.wait(60) for event in waiting)


@pytest.mark.parametrize("freed", range(SLOTS))
def test_who_waits_for_a_slot_gets_whichever_is_free_first(tmp_path: Path, freed: int) -> None:
    with ExitStack() as others:
        slots = [ExitStack() for _ in range(SLOTS)]
        for number, slot in enumerate(slots):
            others.push(slot)
            slot.enter_context(holding(tmp_path, number, Needs()))
        waiting = [taken(tmp_path, 0), taken(tmp_path, 0)]
        assert not any(event.wait(0.1) for event in waiting)
        slots[freed].close()
        assert all(event.wait(60) for event in waiting), "one after the other"


def test_who_wants_the_machine_alone_is_not_kept_out_by_those_who_come_later(tmp_path: Path) -> None:
    with holding(tmp_path, 2, Needs()):
        alone = taken(tmp_path, 1, Needs(SLOTS))
        assert not alone.wait(1)
        assert taken(tmp_path, 1).wait(60), "slot 3, for which it does not wait yet"
        later = taken(tmp_path, 1, Needs(3))
        assert not later.wait(0.1)
    assert alone.wait(60)
    assert later.wait(60)


def test_what_follows_and_needs_no_more_waits_for_nobody(tmp_path: Path) -> None:
    with holding(tmp_path, 0, Needs(SLOTS)) as held:
        held.give_back(Needs(SLOTS - 1))
        held.take(Needs(SLOTS - 1))
        assert taken(tmp_path, 0).wait(60), "what it does not need any more"
        with holding(tmp_path, SLOTS - 1, Needs()):
            waiting = [taken(tmp_path, number) for number in range(SLOTS)]
            held.give_back(Needs(SLOTS - 1))
            held.take(Needs(SLOTS - 1))
            assert not any(event.wait(0.1) for event in waiting)
            held.give_back(Needs())
            assert all(event.wait(60) for event in waiting[: SLOTS - 1]), "an ordinary test waits in the queue"
        assert all(event.wait(60) for event in waiting)


@pytest.mark.parametrize("following", [Needs(SLOTS), Needs(SLOTS - 1, Use.SHARED)], ids=["more", "other"])
def test_nobody_waits_for_more_while_he_holds_something(tmp_path: Path, following: Needs) -> None:
    with holding(tmp_path, 0, Needs(SLOTS - 1)) as held:
        waiting = taken(tmp_path, 0, Needs(SLOTS))
        assert not waiting.wait(0.1)
        held.give_back(following)
        assert waiting.wait(60)


@pytest.mark.parametrize(
    ("shared", "alone"),
    [
        (Needs(1, cluster=Use.SHARED), Needs(1, cluster=Use.ALONE)),
        (Needs(1, meeting=Use.SHARED), Needs(1, meeting=Use.ALONE)),
    ],
    ids=["cluster", "meeting"],
)
def test_many_use_what_is_shared_or_one_has_it_alone(tmp_path: Path, shared: Needs, alone: Needs) -> None:
    with holding(tmp_path, 0, shared):
        assert taken(tmp_path, 1, shared).wait(60)
        only = taken(tmp_path, 2, alone)
        assert not only.wait(1)
        later = taken(tmp_path, 3, shared)
        assert not later.wait(0.1), "it would keep out the one who waits"
    assert only.wait(60)
    assert later.wait(60)
    with holding(tmp_path, 0, alone):
        assert taken(tmp_path, 1, Needs(SLOTS - 1)).wait(60), "the machine is free meanwhile"
        other = taken(tmp_path, 1, shared)
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
