"""How the tests run side by side: in processes of their own, by what they share.

Most of their time is waiting, so `make test` runs three processes (`pytest -n 3 --dist loadgroup`). One process has all
tests that use the machine's one local meeting, one those that use the cluster without it; a file that brings up
something for all its tests stays together. Whatever judges sound or pictures in real time is marked `alone` and has the
machine for itself.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.machine import quiet

_GROUPS = {
    "bot/test_livekit_join": "meeting",
    "bot/test_local_meeting": "meeting",
    "e2e/test_recording": "meeting",
    "e2e/test_network": "cluster",
    "e2e/test_operator_endings": "cluster",
}
"""Every other file is a group by itself."""

_LONGEST_FIRST = ("meeting", "cluster", "bot/", "conformance/", "integration/", "unit/")
_TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its group. What takes longest goes first; what wants the machine alone goes last in its group."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: (_rank(_group(item)), _wants_silence(item)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the machine outside everything else: a test's time-out begins when the test may begin."""
    with quiet.alone() if _wants_silence(item) else quiet.among_others():
        return (yield)


def _group(item: pytest.Item) -> str:
    file = item.path.relative_to(_TESTS).with_suffix("").as_posix()
    return _GROUPS.get(file, file)


def _rank(group: str) -> int:
    return next(rank for rank, start in enumerate(_LONGEST_FIRST) if group.startswith(start))


def _wants_silence(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None
