"""How the tests run side by side: in several processes, by what they share.

Most of their time is waiting, so `make test` runs more processes than there are processors. Files stay whole, because
each brings up something for all its tests, and some that share more than the machine go together. What judges sound or
pictures in real time is marked `real_time` and goes before all others on the processors; what nearly only waits for
moments of its own is marked `waits` and takes no slot. What ends parts of the cluster is marked `cluster_alone`, what
ends the local meeting's server `meeting_alone`: tests without it run on, and those with it wait. One of another group
may come between any two tests of a module, so what a module has on the cluster, or in the meeting, survives it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.local.machine import direct
from tests.local.machine.control_group import preferred
from tests.local.machine.machine_lock import Held, Needs, Use
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
"""Some of these need much of the machine, some install one release on the cluster, some end the cluster; every other
file is a group by itself, or one for each pack of pages."""

direct.spare()
_held = Held()

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
    """What takes longest goes first."""
    items.sort(key=lambda item: _rank(_group(item.nodeid)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the machine outside everything else: a test's time-out begins when the test may begin."""
    _held.take(_needs(item))
    in_time = preferred("meeting-buddy-tests") if _marked(item, "real_time") else nullcontext()
    try:
        with in_time:
            return (yield)
    finally:
        _held.give_back()


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
    def use(name: str, shared: bool) -> Use | None:
        return Use.ALONE if _marked(item, f"{name}_alone") else Use.SHARED if shared else None

    cluster = use("cluster", _marked(item, "cluster"))
    meeting = use("meeting", "meeting" in getattr(item, "fixturenames", ()))
    return Needs(not _marked(item, "waits"), cluster, meeting)


def _marked(item: pytest.Item, name: str) -> bool:
    return item.get_closest_marker(name) is not None
