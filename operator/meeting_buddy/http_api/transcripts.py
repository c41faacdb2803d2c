"""One stream of a bot for all who listen to it here: a bot takes sixteen subscribers, and people are more.

Lines go to a file without a name, which is gone with the process: whoever comes late or reads slowly finds all of them
there, and memory holds only where each begins. Of each segment that is still open the newest text is kept.

A stream begins behind the last line that its first listener has seen; who has seen less needs an earlier one. When its
file is full it breaks off behind a whole line: who comes again with that line's number goes on in the next one.
"""

import asyncio
import json
import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from meeting_buddy.contract.transcript import whole_segment
from meeting_buddy.http_api.bots import Bots, BotStream, unavailable
from meeting_buddy.http_api.upstream import BrokenError

MAX_BYTES: Final = 64 << 20
"""Of one stream's lines; an hour of talk has about two million."""
MAX_IN_ALL: Final = 512 << 20
"""Bytes, of all bots' lines; the chart's volume for them is larger."""
LONGEST_PARTIAL: Final = 64 * 1024
"""Bytes, since they are in memory."""
PARTIAL_SECONDS: Final = 60.0
"""After so long nothing becomes of an open segment any more: none lasts longer than half a minute."""
MAX_STREAMS: Final = 2
"""Of one bot, from different lines; a further one begins with the first line, and serves everybody, unless the bot's
lines are too many for one."""
LINES_BEFORE: Final = 100
"""So many lines before the one that is wanted a stream begins: of those who come again together, some have seen less.
All of them at their longest leave room behind them in ``MAX_BYTES``: each stream gets further."""
_LONGEST_NAME: Final = 64
_MAX_OPEN: Final = 64
"""Segments that are open at the same time."""


class Events(Protocol):
    """What a listener reads."""

    async def next(self) -> bytes | None:
        """The next event as it is sent, ``None`` behind the last one. May be cancelled. Raises ``BrokenError``."""

    def close(self) -> None:
        """Listen no more."""


class LiveTranscripts:
    """The bots that are listened to now."""

    def __init__(self, bots: Bots) -> None:
        self._bots = bots
        self._live: dict[tuple[str, str, int], list[_Transcript]] = {}
        self._long: set[tuple[str, str, int]] = set()
        """Bots whose lines have filled a stream: none can serve everybody."""
        self._budget = _Budget()

    async def listen(self, address: str, uid: str, attempt: int, after: int) -> "Listener":
        """Hear a bot. Close what it gives.

        Args:
            address: of the pod.
            uid: of the session.
            attempt: number of the bot.
            after: number of the last line that was seen; 0: none.

        Raises:
            ProblemError: it refuses, or cannot be reached.
        """
        bot = (address, uid, attempt)
        live = self._live.get(bot, [])
        found = max((each for each in live if each.after <= after), key=lambda each: each.after, default=None)
        if found is None:
            one_is_enough = len(live) >= MAX_STREAMS and bot not in self._long
            begin = 0 if one_is_enough else max(0, after - LINES_BEFORE)
            try:
                found = _Transcript(lambda: self._bots.transcript(*bot, begin), self._forget, self._budget, begin)
            except OSError:
                raise unavailable("there is no room for its lines here") from None
            self._live[bot] = [*live, found]
        listener = Listener(found, after)
        try:
            await asyncio.shield(found.opened)
        except BaseException:
            listener.close()
            raise
        return listener

    def _forget(self, transcript: "_Transcript") -> None:
        self._long |= {bot for bot, live in self._live.items() if transcript in live and transcript.full}
        left = {bot: [each for each in live if each is not transcript] for bot, live in self._live.items()}
        self._live = {bot: live for bot, live in left.items() if live}


@dataclass
class _Budget:
    """What all transcripts hold on disk."""

    bytes: int = 0


class _Partial(NamedTuple):
    """The newest text of an open segment."""

    place: int
    """Among all such texts."""
    event: bytes
    since: float
    """By the event loop's clock."""


class _Transcript:
    """What one bot has said behind a line, and says."""

    def __init__(
        self,
        connect: Callable[[], Coroutine[Any, Any, BotStream]],
        over: Callable[["_Transcript"], None],
        budget: _Budget,
        after: int,
    ) -> None:
        self.after = after
        """Number of the line behind which it begins."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the last listener
        self._budget = budget
        self.full = False
        """Whether it broke off for want of room."""
        self.broken = ""
        """Why it broke off."""
        self.ended = False
        self.changed = asyncio.Event()
        self.listeners = 0
        self.partials: dict[str, _Partial] = {}
        """By open segment."""
        self._now = asyncio.get_running_loop().time
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened.add_done_callback(_looked_at)
        self._over = over
        self._numbers = array("Q")
        self._ends = array("Q")
        self._published = 0
        self._following = asyncio.create_task(self._follow(connect))

    def line_after(self, number: int) -> tuple[int, bytes] | None:
        """The first line with a higher number, and that number."""
        place = bisect_right(self._numbers, number)
        if place == len(self._numbers):
            return None
        start = self._ends[place - 1] if place else 0
        return self._numbers[place], os.pread(self._file.fileno(), self._ends[place] - start, start)

    def partial_after(self, place: int) -> _Partial | None:
        """The next text of an open segment behind a place among them."""
        oldest = self._now() - PARTIAL_SECONDS
        return min(
            (each for each in self.partials.values() if each.place > place and each.since > oldest), default=None
        )

    def leave(self) -> None:
        """A listener goes; with the last one the bot is left."""
        self.listeners -= 1
        if not self.listeners:
            self._over(self)
            self._following.cancel()
            self._file.close()
            self._budget.bytes -= self._size

    @property
    def _size(self) -> int:
        """Bytes of all lines."""
        return self._ends[-1] if self._ends else 0

    async def _follow(self, connect: Callable[[], Coroutine[Any, Any, BotStream]]) -> None:
        try:
            stream = await connect()
        except BaseException as error:
            self._over(self)
            if isinstance(error, asyncio.CancelledError):
                self.opened.cancel()
            else:
                self.opened.set_exception(error)
            return
        self.opened.set_result(None)
        try:
            while (event := await stream.next()) is not None:
                self._take(event)
            self.ended = True
        except BrokenError as error:
            self.broken = str(error)
        except OSError:
            self.broken = "there is no room for the transcript here"
        finally:
            if not self.ended:
                self.broken = self.broken or "following it failed"
            stream.close()
            self._over(self)
            self._wake()

    def _take(self, event: bytes) -> None:
        """Keep an event of the bot; of a kind that is not known, it is left out."""
        fields = dict(each.partition(b": ")[::2] for each in event.splitlines())
        kind = fields.get(b"event")
        if kind == b"gap":
            raise BrokenError("the bot left lines out")
        if kind == b"line":
            self._keep(int(_digits(fields.get(b"id", b""))), event)
        if kind in (b"line", b"partial"):
            segment = _segment(fields.get(b"data", b""))
            self.partials.pop(segment, None)
            if kind == b"partial" and len(event) <= LONGEST_PARTIAL:
                self._published += 1
                self.partials[segment] = _Partial(self._published, event, self._now())
                if len(self.partials) > _MAX_OPEN:
                    del self.partials[next(iter(self.partials))]
            self._wake()

    def _keep(self, number: int, event: bytes) -> None:
        end = self._size
        if self._budget.bytes + len(event) > MAX_IN_ALL:
            raise OSError("the transcripts are too long for this server")
        if end + len(event) > MAX_BYTES:
            self.full = True
            raise BrokenError("one stream has no room for more lines")
        if number <= (self._numbers[-1] if self._numbers else 0):
            raise BrokenError("the bot's lines are not in order")
        written = os.pwrite(self._file.fileno(), event, end)
        if written != len(event):
            raise OSError("a short write")
        self._numbers.append(number)
        self._ends.append(end + written)
        self._budget.bytes += written

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Listener:
    """One place in a bot's transcript."""

    def __init__(self, transcript: _Transcript, after: int) -> None:
        self._transcript = transcript
        self._number = after
        self._partial = 0
        self._closed = False
        transcript.listeners += 1

    async def next(self) -> bytes | None:
        """The next event as the bot sent it, ``None`` behind the last one. May be cancelled.

        Raises:
            BrokenError: the bot is gone; all that it said has been handed out.
        """
        while True:
            found = self._transcript
            if line := found.line_after(self._number):
                self._number = line[0]
                return line[1]
            if partial := found.partial_after(self._partial):
                self._partial = partial.place
                return partial.event
            if found.broken:
                raise BrokenError(found.broken)
            if found.ended:
                return None
            await found.changed.wait()

    def close(self) -> None:
        """Listen no more."""
        if not self._closed:
            self._closed = True
            self._transcript.leave()


def _looked_at(opened: "asyncio.Future[None]") -> None:
    """A refusal that everybody has stopped waiting for is no error of this process."""
    if not opened.cancelled():
        opened.exception()


def _digits(text: bytes) -> bytes:
    if not text.isdigit() or len(text) > 12:
        raise BrokenError("a line has no number")
    return text


def _segment(data: bytes) -> str:
    """Name of the segment that a line belongs to, or is a part of."""
    try:
        found = json.loads(data)["segment"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise BrokenError("an event is no line") from None
    if not isinstance(found, str) or len(found) > _LONGEST_NAME:
        raise BrokenError("an event names no segment")
    return whole_segment(found)
