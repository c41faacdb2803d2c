"""Live transcripts for many listeners: from where the bot is asked, and what becomes of long ones."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from meeting_buddy.http_api import transcripts
from meeting_buddy.http_api.bots import LONGEST_EVENT
from meeting_buddy.http_api.transcripts import LINES_BEFORE, MAX_BYTES, MAX_STREAMS, Listener, LiveTranscripts
from meeting_buddy.http_api.upstream import READ_AT_ONCE, BrokenError

BOT = ("10.0.0.1", "uid", 1)


def line(number: int) -> bytes:
    return f"id: {number}\nevent: line\ndata: {json.dumps({'segment': str(number)})}\n\n".encode()


class Saying:
    """A bot's stream: all lines behind one, then silence."""

    def __init__(self, bot: Bot, after: int) -> None:
        self._bot = bot
        self._number = after
        bot.streams += 1

    async def next(self) -> bytes:
        await asyncio.sleep(0)
        if self._number == self._bot.lines:
            await asyncio.Event().wait()
        self._number += 1
        return line(self._number)

    def close(self) -> None:
        self._bot.streams -= 1


class Bot:
    """One that has said ``lines`` lines, in the place of all bots."""

    def __init__(self, lines: int) -> None:
        self.lines = lines
        self.asked: list[int] = []
        """Behind which lines."""
        self.streams = 0
        """That are open."""

    async def transcript(self, _address: str, _uid: str, _attempt: int, after: int = 0) -> Saying:
        self.asked.append(after)
        return Saying(self, after)


def heard(bot: Bot) -> LiveTranscripts:
    stand_in: Any = bot
    return LiveTranscripts(stand_in)


async def numbers(listener: Listener, up_to: int) -> list[int]:
    """Of the lines that come, until one has this number."""
    found: list[int] = []
    while not found or found[-1] < up_to:
        event = await listener.next()
        assert event is not None
        found.append(int(event.split(b"\n")[0].removeprefix(b"id: ")))
    return found


async def test_who_comes_again_costs_what_follows() -> None:
    live = heard(bot := Bot(5000))
    listener = await live.listen(*BOT, 4990)
    assert await numbers(listener, 5000) == list(range(4991, 5001))
    assert bot.asked == [4990 - LINES_BEFORE]
    others = [await live.listen(*BOT, after) for after in (4991, 4990 - LINES_BEFORE, 5000)]
    assert await numbers(others[1], 5000) == list(range(4991 - LINES_BEFORE, 5001))
    assert len(bot.asked) == 1, "who comes again at the same time shares it"
    for each in (listener, *others):
        each.close()


async def test_who_has_seen_less_gets_all_and_takes_nothing_from_others() -> None:
    live = heard(bot := Bot(5000))
    late = await live.listen(*BOT, 4990)
    early = await live.listen(*BOT, 0)
    middle = await live.listen(*BOT, 3000)
    assert bot.asked == [4990 - LINES_BEFORE, 0]
    assert await numbers(early, 5000) == list(range(1, 5001))
    assert await numbers(middle, 5000) == list(range(3001, 5001))
    early.close()
    middle.close()
    assert await numbers(late, 5000) == list(range(4991, 5001))
    late.close()
    await asyncio.sleep(0.01)
    assert bot.streams == 0
    (await live.listen(*BOT, 4000)).close()
    assert bot.asked[-1] == 4000 - LINES_BEFORE, "nothing is left of streams that nobody hears"


async def test_a_stream_that_is_full_goes_on_for_who_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "MAX_BYTES", 400 * len(line(1000)))
    live = heard(bot := Bot(2000))
    seen: list[int] = []
    while 2000 not in seen:
        listener = await live.listen(*BOT, seen[-1] if seen else 0)
        before = len(seen)
        with pytest.raises(BrokenError, match="no room"):  # noqa: PT012 -- of lines that come first
            while True:
                seen += await numbers(listener, 0)
                if seen[-1] == 2000:
                    raise BrokenError("no room is needed any more")
        assert len(seen) > before, "each stream gets further"
        listener.close()
    assert seen == list(range(1, 2001))
    assert len(bot.asked) < 10


def test_a_stream_gets_further_however_long_its_lines_are() -> None:
    assert LINES_BEFORE * (LONGEST_EVENT + 4 * READ_AT_ONCE) < MAX_BYTES - LONGEST_EVENT


async def test_a_bot_is_not_asked_from_any_number_of_lines() -> None:
    live = heard(bot := Bot(5000))
    listeners = [await live.listen(*BOT, after) for after in range(4900, 900, -200)]
    assert len(bot.asked) == MAX_STREAMS + 1
    assert bot.asked[-1] == 0, "the last one serves everybody"
    assert await numbers(listeners[-1], 5000) == list(range(1101, 5001))
    for each in listeners:
        each.close()


async def test_lines_that_fill_a_stream_are_served_behind_each_line_that_was_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transcripts, "MAX_BYTES", 400 * len(line(1000)))
    live = heard(bot := Bot(2000))
    others = [await live.listen(*BOT, after) for after in (1990, 1950 - LINES_BEFORE)]
    seen = 0
    while seen < 1800:  # behind what both others have
        listener = await live.listen(*BOT, seen)
        before = seen
        try:
            while seen < 1800:
                seen = (await numbers(listener, 0))[-1]
        except BrokenError:
            assert seen > before or len(bot.asked) == 3, (
                "each stream gets further, once it is known that one is too few"
            )
        listener.close()
    for each in others:
        each.close()
