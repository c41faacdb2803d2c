"""Staying in the call: what the checks are told of each look, and what ends the stay."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock, Mock, call

import pytest

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import State, Verb
from meeting_buddy_bot.browser.errors import BrowserGoneError, PageTimeoutError
from meeting_buddy_bot.checks.browser_restarts import BrowserRestarts
from meeting_buddy_bot.checks.page_responsive import PageResponsive
from meeting_buddy_bot.checks.too_often import TooOften
from meeting_buddy_bot.checks.waiting_room import WaitingRoom
from meeting_buddy_bot.platforms.page_state import NOTHING, PageState, PageStateTracker
from meeting_buddy_bot.platforms.probe import PageSnapshot
from meeting_buddy_bot.session import meeting_run
from meeting_buddy_bot.session.evidence import EvidenceKeeper
from meeting_buddy_bot.session.rejoin import reason_after_joining
from meeting_buddy_bot.session.result import SessionResult
from tests.support.awaiting import until
from tests.support.bot_clock import FakeClock
from tests.support.platform_tables import platform_table

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
        self._recorder = self.recorder = Mock()
        self._away, self._seen_in_call = "", self.clock.now()
        self._call = self.call = Mock(take=Mock(return_value=None))
        self._announcer = None
        self._lobby = WaitingRoom(self.clock, 60)
        self._returns = TooOften(self.clock, 2, 600)
        self.rejoins: list[str] = []

    async def _look(self, responsive: PageResponsive) -> PageSnapshot | None:
        self.clock.later(1)
        return PageSnapshot(frozenset())

    def update(self, snapshot: PageSnapshot | None, now: float, picture: bool | None = None) -> PageState:
        """As the tracker's."""
        return next(self._states)

    def _begin_rejoin(self, cause: str) -> None:
        self.rejoins.append(cause)

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


async def test_a_call_that_waits_for_its_host_again_is_over_and_nobody_removed_the_bot() -> None:
    signals = platform_table("zoom").signals
    waits = PageState(State.LOBBY, next(each for each in signals if each.waiting is Waiting.NOT_STARTED))
    stay = Stay([IN_CALL, *[waits] * 70, OVER])
    result = await stay.result()
    assert result.reason is Reason.MEETING_NOT_STARTED
    assert reason_after_joining(result.reason) is Reason.MEETING_ENDED
    assert cast(Any, stay._reporter).waiting.call_args == call(Waiting.NOT_STARTED)


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (LOBBY, "the bot waited outside the call"),
        (RECONNECTING, "the page was reconnecting"),
        (PageState(State.PRE_JOIN), "the page went back to where one joins"),
    ],
)
async def test_what_was_recorded_while_the_page_did_not_show_the_call_is_a_gap(state: PageState, cause: str) -> None:
    stay = Stay([*[IN_CALL] * 5, *[state] * 30, NOTHING, *[IN_CALL] * 5, state, IN_CALL, OVER])
    began = stay.clock.now()
    await stay.result()
    assert stay.recorder.note_gap.call_args_list == [call(began + 5, began + 36 + 1, cause)], "not what flickered"
    assert stay.call.interrupted.call_count == 1, "others may have been dropped, too"


async def test_who_is_put_out_of_each_call_comes_back_twice() -> None:
    before_joining = next(signal for signal in TABLE.signals if signal.state is State.PRE_JOIN)
    put_out = PageState(State.ENDED, before_joining, Reason.CONNECTION_LOST)
    stay = Stay([IN_CALL, put_out] * 3 + [IN_CALL] * 700 + [put_out])
    reasons = [(await stay.result()).reason for _ in range(4)]
    lost = Reason.CONNECTION_LOST
    assert reasons == [lost, lost, Reason.MEETING_ENDED, lost], "the last one is ten minutes later"
    assert len(stay.rejoins) == 3


class Covered(Stay):
    """A stay in which the table has a step for the call that can never be run, as something lies over it."""

    def __init__(self, looks: int) -> None:
        super().__init__([*[IN_CALL] * looks, OVER])
        step = next(step for step in TABLE.steps if step.do is Verb.CLICK).model_copy(update={"in_call": True})
        self._table = TABLE.model_copy(update={"steps": (step,)})
        self._page = cast(Any, Mock(perform=AsyncMock(return_value=False)))
        self.announcer = AsyncMock()
        self._announcer = self.announcer

    async def _look(self, responsive: PageResponsive) -> PageSnapshot | None:
        self.clock.later(1)
        return PageSnapshot(frozenset(), frozenset(step.name for step in self._table.steps))


async def test_a_step_that_cannot_be_run_leaves_the_announcement_its_turn() -> None:
    stay = Covered(10)
    await stay.result()
    assert stay.announcer.advance.await_count == 10


class NoEvidence(EvidenceKeeper):
    """Of a page of which none can be had, and whose volume does not answer either."""

    def __init__(self) -> None:
        self._events = cast(Any, Mock())
        self.asked_for = asyncio.Event()

    async def keep(self, name: str, seconds: float = 10.0) -> None:
        """Never returns."""
        self.asked_for.set()
        await asyncio.Event().wait()


class Leaving(meeting_run._MeetingRun):
    """A bot in debug mode that leaves such a page."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.evidence = self.no_evidence = NoEvidence()
        self._assignment = cast(Any, SimpleNamespace(debug_mode=True, grace_seconds=1))
        self._events, self._reporter, self._restarts, self._clock, self._call = (cast(Any, Mock()) for _ in range(5))
        self._outage, self._away = None, ""
        self._page = cast(Any, Mock(leave=self._does("page left", True)))
        self._browser = cast(Any, Mock(close=self._does("browser closed")))
        self._recorder = self.recorder = cast(Any, Mock(stop=self._does("recorder stopped")))

    def _does(self, what: str, answer: object = None) -> AsyncMock:
        def do(*_: object) -> object:
            self.done.append(what)
            return answer

        return AsyncMock(side_effect=do)


async def test_who_is_asked_to_leave_does_so_whatever_becomes_of_the_evidence() -> None:
    leaving = Leaving()
    async with asyncio.timeout(60):
        await leaving.leave(SessionResult(Reason.LEAVE_REQUESTED), asked=True)
    assert sorted(leaving.done) == ["browser closed", "page left", "recorder stopped"]


async def test_when_the_bot_left_is_told_before_its_recorder_has_closed() -> None:
    leaving = Leaving()
    leaving._assignment = cast(Any, SimpleNamespace(debug_mode=False))
    closing = asyncio.Event()

    async def stop() -> None:
        closing.set()
        await asyncio.Event().wait()

    leaving.recorder.stop = stop
    task = asyncio.create_task(leaving.leave(SessionResult(Reason.LEAVE_REQUESTED), asked=True))
    async with asyncio.timeout(60):
        await closing.wait()
        await until(lambda: cast(Any, leaving._reporter).left.called)
    task.cancel()
    await asyncio.wait({task})
    assert call("left", page_agrees=True) in cast(Any, leaving._events).write.call_args_list


async def test_what_was_recorded_in_the_waiting_room_until_the_bot_left_is_a_gap() -> None:
    leaving = Leaving()
    clock = SimpleNamespace(now=lambda: 100.0, utc=Mock())
    leaving._clock = cast(Any, clock)
    leaving._away, leaving._seen_in_call = "the bot waited outside the call", 40.0
    await leaving.leave(SessionResult(Reason.REMOVED_FROM_MEETING), asked=True)
    [found] = leaving.recorder.note_gap.call_args_list
    assert found == call(40.0, 100.0, "the bot waited outside the call")


class Hanging(Leaving):
    """A bot whose page hangs in the call, and whose browser takes long to close."""

    def __init__(self) -> None:
        super().__init__()
        self._table = TABLE
        self._assignment = cast(Any, SimpleNamespace(debug_mode=False, rejoins=False))
        self.clock = FakeClock()
        self._clock = cast(Any, SimpleNamespace(now=self.clock.now, utc=Mock()))
        self._seen_in_call = self.clock.now()
        self.waits = asyncio.Event()
        cast(Any, self._page).read = AsyncMock(side_effect=PageTimeoutError("no answer"))
        self._browser = cast(Any, Mock(alive=True, close=self._close))

    async def _join_and_stay(self) -> SessionResult:
        raise BrowserGoneError("the page hangs")

    async def _close(self) -> None:
        if not self.waits.is_set():
            self.waits.set()
            await asyncio.Event().wait()


class DyingSlowly(Hanging):
    """A bot whose browsers take minutes to die; of those given, some get it into the call first."""

    def __init__(self, in_call: Iterable[bool]) -> None:
        super().__init__()
        self.waits.set()  # its browsers close at once
        self._restarts = BrowserRestarts(self.clock)
        self._lobby = cast(Any, Mock())
        self.in_call = iter(in_call)
        self.deaths = 0

    async def _join_and_stay(self) -> SessionResult:
        if next(self.in_call):
            await self._admitted()
        self.clock.later(400)
        self.deaths += 1
        raise BrowserGoneError("the page hangs")


async def test_browsers_that_each_die_on_the_way_into_the_call_end_it_however_long_they_take() -> None:
    bot = DyingSlowly([True] * 20 + [False] * 20)
    async with asyncio.timeout(60):
        result = await bot.run()
    assert result.reason is Reason.BROWSER_CRASHED
    assert bot.deaths == 20 + 3, "the one in the call, and three that were to bring the bot back"


async def cut_short(bot: Hanging, doing: Coroutine[Any, Any, object], waits: asyncio.Event) -> object:
    """Ask the bot to leave while it waits; the causes of the gaps that it states then."""
    task = asyncio.create_task(doing)
    async with asyncio.timeout(60):
        await waits.wait()
    bot.clock.later(30)
    task.cancel()
    await asyncio.wait({task})
    await bot.leave(SessionResult(Reason.LEAVE_REQUESTED), asked=True)
    return [(end - start, cause) for (start, end, cause), _ in bot.recorder.note_gap.call_args_list]


async def test_who_has_to_leave_while_a_dead_browser_is_closed_states_the_gap() -> None:
    bot = Hanging()
    assert await cut_short(bot, bot.run(), bot.waits) == [(30, "browser died")]
    assert cast(Any, bot._reporter).waiting.call_args == call(Waiting.REJOINING), "it is not ready meanwhile"


async def test_no_host_is_told_to_let_in_a_bot_whose_browser_died_in_the_lobby() -> None:
    bot = Hanging()
    cast(Any, bot._reporter).ever_joined = False
    assert bot._begin_rejoin("browser died") is None
    assert cast(Any, bot._reporter).waiting.call_args == call(Waiting.CONNECTING)


async def test_so_does_who_has_to_leave_while_evidence_of_a_page_that_hangs_is_kept() -> None:
    bot = Hanging()
    bot.waits.set()  # its browser closes at once
    looking = bot._look(cast(Any, Mock(hung=Mock(return_value=True))))
    assert await cut_short(bot, looking, bot.no_evidence.asked_for) == [(30, "the page hung")]


async def test_so_does_who_has_no_time_left_for_the_evidence() -> None:
    leaving = Leaving()
    task = asyncio.create_task(leaving.leave(SessionResult(Reason.BROWSER_CRASHED), asked=False))
    await leaving.no_evidence.asked_for.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(leaving.done) == ["browser closed", "page left", "recorder stopped"]
