"""Staying in the call: what the checks are told of each look, and what ends the stay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast
from unittest.mock import Mock

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import State
from meeting_buddy_bot.checks.page_responsive import PageResponsive
from meeting_buddy_bot.checks.waiting_room import WaitingRoom
from meeting_buddy_bot.platforms.page_state import NOTHING, PageState, PageStateTracker
from meeting_buddy_bot.platforms.probe import PageSnapshot
from meeting_buddy_bot.session import meeting_run
from meeting_buddy_bot.session.result import SessionResult
from tests.support.platform_tables import platform_table
from tests.unit.test_checks import FakeClock

TABLE = platform_table("livekit")
IN_CALL, LOBBY, RECONNECTING = PageState(State.IN_CALL), PageState(State.LOBBY), PageState(State.RECONNECTING)
OVER = PageState(State.ENDED, reason=Reason.MEETING_ENDED)


class Stay(meeting_run._MeetingRun):
    """A stay without a page: a look each second, whose states are given; nobody asks who is in the call."""

    def __init__(self, states: Iterable[PageState]) -> None:
        self.clock = FakeClock()
        self._clock = cast(Any, self.clock)
        self._states = iter(states)
        self._table = TABLE
        self._reporter = Mock()
        self._announcer = None
        self._lobby = WaitingRoom(self.clock, 60)

    async def _look(self, responsive: PageResponsive) -> PageSnapshot | None:
        self.clock.later(1)
        return PageSnapshot(frozenset())

    def update(self, snapshot: PageSnapshot | None, now: float, picture: bool | None = None) -> PageState:
        """As the tracker's."""
        return next(self._states)

    def _in_call(self, snapshot: PageSnapshot, playing: bool | None, pictures: bool | None) -> Reason | None:
        return None

    async def result(self) -> SessionResult:
        """How it ended."""
        return await self._stay(cast(PageStateTracker, self))


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting_run, "pause", lambda *_: 0)


async def test_a_look_that_tells_nothing_does_not_bring_a_connection_back() -> None:
    stay = Stay(([RECONNECTING] * 19 + [NOTHING]) * 10)
    began = stay.clock.now()
    assert (await stay.result()).reason is Reason.CONNECTION_LOST
    assert stay.clock.now() - began == pytest.approx(TABLE.timeouts.reconnect, abs=5)


async def test_a_look_at_the_call_brings_a_connection_back() -> None:
    reconnects = [RECONNECTING] * 50 + [NOTHING] * 5 + [IN_CALL]
    assert (await Stay([*reconnects * 10, OVER]).result()).reason is Reason.MEETING_ENDED


async def test_each_stay_in_the_lobby_has_its_own_time() -> None:
    sent_back = [LOBBY] * 20 + [NOTHING] + [LOBBY] * 30 + [IN_CALL] * 10
    assert (await Stay([*sent_back * 4, OVER]).result()).reason is Reason.MEETING_ENDED
    assert (await Stay([*sent_back, *[LOBBY] * 70, OVER]).result()).reason is Reason.REMOVED_FROM_MEETING
