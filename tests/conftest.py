"""How the tests run side by side: in several processes, by what they share.

Most of their time is waiting, so `make test` runs more processes than there are processors. Files stay whole, because
each brings up something for all its tests, and some that share more than the machine go together. What judges sound or
pictures in real time is marked `real_time` and takes most slots of the machine. Within a group these come first, one
after the other, so that what others have begun is waited for once. What nearly only waits for moments of its own is
marked `waits` and takes no slot. What ends parts of the cluster is marked `cluster_alone`, what ends the local
meeting's server `meeting_alone`: tests without it run on, and those with it wait. One of another group may come between
any two tests of a module, so what a module has on the cluster, or in the meeting, survives it.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.local.machine.machine_lock import REAL_TIME_SLOTS, Held, Needs, Use
from tests.local.meetings.facts.usage import usages
from tests.local.meetings.livekit import LocalMeeting

_GROUPS = {
    "tests/bot/test_recorder.py": "recorder",
    "tests/bot/test_sound_clock.py": "recorder",
    "tests/e2e/test_http_api.py": "release",
    "tests/e2e/test_platforms.py": "release",
    "tests/e2e/test_recording.py": "release",
    "tests/e2e/test_cluster_repair.py": "repair",
    "tests/e2e/test_node_loss.py": "repair",
}
"""Some of these need most of the machine, some install one release on the cluster, some end the cluster; every other
file is a group by itself, or one for each pack of pages."""

_held = Held(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))

_LONGEST_FIRST = (
    "release",
    "tests/e2e/test_operator_endings.py",
    "tests/integration/test_operator_times.py",
    "recorder",
    "tests/bot/test_platform_meetings.py",
    "tests/bot/test_session.py",
    "tests/bot/test_join_loop.py",
    "tests/bot/test_livekit_join.py",
    "tests/integration/test_operator_",
    "tests/integration/test_http_expiry.py",
    "tests/e2e/",
    "tests/bot/",
    "repair",  # once nobody else needs the cluster
    "tests/conformance/",
    "tests/unit/test_sound_judgement.py",
    "tests/integration/",
    "tests/unit/",
)


@pytest.fixture(scope="module")
def meeting() -> LocalMeeting:
    """The machine's one local meeting, up; it stays up afterwards, as the cluster does."""
    meeting = LocalMeeting()
    meeting.start()
    return meeting


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Hands out whole groups, in the order in which the tests were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """Which test goes to which process."""
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first, and of a group what needs most of the machine, also if that parts a file."""
    most: dict[Path, int] = {}
    for item in items:
        most[item.path] = max(most.get(item.path, 0), _needs(item).slots)
    items.sort(key=lambda item: (_rank(_group(item.nodeid)), -most[item.path], -_needs(item).slots))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Wait for the machine outside everything else: a test's time-out begins when the test may begin."""
    _held.take(_needs(item))
    try:
        return (yield)
    finally:
        _held.give_back(None if nextitem is None else _needs(nextitem))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests of the platforms' tables measured, and which facts the tables stand on."""
    reports = [each for each in terminalreporter.getreports("passed") if each.when == "call"]
    lines = [
        line
        for report in reports
        if report.nodeid.startswith("tests/bot/test_platform_pages.py")
        for line in report.capstdout.splitlines()
        if line.strip()
    ]
    if any(report.nodeid.startswith("tests/unit/test_facts_used.py") for report in reports):
        lines += [usage.line() for usage in usages()]
        lines.append("each unused fact with its reason: python -m tests.local.meetings.facts.usage")
    if lines:
        terminalreporter.section("platform tables")
        for line in lines:
            terminalreporter.write_line(line)


def _group(nodeid: str) -> str:
    file, _, test = nodeid.partition("::")
    if file == "tests/bot/test_platform_pages.py":  # one document for each pack
        return f"{file}[{test.partition('[')[2]}"
    return _GROUPS.get(file, file)


def _rank(group: str) -> int:
    return next(rank for rank, start in enumerate(_LONGEST_FIRST) if group.startswith(start))


def _needs(item: pytest.Item) -> Needs:
    def marked(name: str) -> bool:
        return item.get_closest_marker(name) is not None

    def use(name: str, shared: bool) -> Use | None:
        return Use.ALONE if marked(f"{name}_alone") else Use.SHARED if shared else None

    cluster, meeting = use("cluster", marked("cluster")), use("meeting", "meeting" in getattr(item, "fixturenames", ()))
    slots = REAL_TIME_SLOTS if marked("real_time") else 0 if marked("waits") else 1
    return Needs(slots, cluster, meeting)
