"""``GET /v1/transcript``: the transcript for people who follow it live, as Server-Sent Events.

Final lines carry their number in the file as id: who comes back with ``Last-Event-ID`` gets from the file what was
missed, then what follows. Lines of open segments carry none, are not stored, and only the newest of each segment is
sent. Who takes lines too slowly is told which ones were left out, and gets them by coming back. The stream has what the
file has, names too: it needs the session's read key.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from operator import itemgetter
from typing import Final, Literal

from aiohttp import web

from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, TranscriptLine, whole_segment
from meeting_buddy_bot.reporting.event_stream import EventStream
from meeting_buddy_bot.reporting.problems import Handler, problem
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.writer import StoredLines, cleaned

MAX_BEHIND: Final = 1000
"""Final lines that may wait for a subscriber."""
_MAX_OPEN: Final = 64
"""Segments that may be open at the same time."""
_EVENT_ID: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the stream."""

    kind: Literal["line", "partial", "gap"]
    data: str
    """JSON on one line."""
    number: int | None = None
    """Of the line in the file."""

    def encode(self) -> bytes:
        """As it is sent."""
        head = "" if self.number is None else f"id: {self.number}\n"
        return f"{head}event: {self.kind}\ndata: {self.data}\n\n".encode()


class TranscriptHub:
    """Keeps the newest lines for all subscribers at once; each has only its place among them."""

    def __init__(self, volume: Volume) -> None:
        self.last = 0
        """Number of the newest final line."""
        self.ended = False
        self._volume = volume
        self._recent: deque[tuple[int, str]] = deque(maxlen=MAX_BEHIND)
        self._partials: dict[str, tuple[int, TranscriptLine]] = {}
        """Segment → its newest line, and the place of that among all lines of open segments."""
        self._partials_published = 0
        self._changed = asyncio.Event()
        self._begun = asyncio.Event()

    def begin(self, lines: int) -> None:
        """The file has so many lines already."""
        self.last = lines
        self._begun.set()

    async def begun(self) -> None:
        """Wait until it is known how many lines there are already: before, nobody can be told what comes next."""
        await self._begun.wait()

    def publish_final(self, number: int, line: TranscriptLine) -> None:
        """A line that is stored as ``number``: what the writer hands on."""
        self._partials.pop(whole_segment(line.segment), None)
        self._recent.append((number, line.to_json()))
        self.last = number
        self._wake()

    def publish_partial(self, line: TranscriptLine) -> None:
        """The newest line of a segment that is still open."""
        segment = whole_segment(line.segment)
        self._partials.pop(segment, None)
        self._put(segment, cleaned(line))
        if len(self._partials) > _MAX_OPEN:
            del self._partials[next(iter(self._partials))]
        self._wake()

    def forget_partials(self) -> None:
        """Nothing becomes of open segments, as their transcriber is gone: who reads them gets each without text."""
        for segment, (_, line) in self._partials.items():
            if line.text:
                self._put(segment, line.model_copy(update={"text": "", "words": (), "committed": 0}))
        self._wake()

    def end(self) -> None:
        """No line follows; streams end behind the last one."""
        self.ended = True
        self._begun.set()
        self._wake()

    def subscribe(self, last_id: int | None = None) -> "Subscription":
        """Lines after ``last_id``, all by default, then those that follow; to be called once it has begun."""
        # An id that the file has not reached is from another file; what follows is all there is for it.
        return Subscription(self, StoredLines(self._volume.folder / TRANSCRIPT_FILE), min(last_id or 0, self.last))

    def oldest(self) -> int:
        """Number of the oldest line that is still kept here."""
        return self._recent[0][0] if self._recent else self.last + 1

    def kept(self, number: int) -> str:
        """A line that is kept here."""
        return self._recent[number - self._recent[0][0]][1]

    def partial_after(self, place: int) -> tuple[int, str] | None:
        """The next line of an open segment behind a place among them; who had none yet gets none without text."""
        following = (each for each in self._partials.values() if each[0] > place and (each[1].text or place))
        found = min(following, key=itemgetter(0), default=None)
        return None if found is None else (found[0], found[1].to_json())

    async def read(self, stored: StoredLines) -> list[tuple[int, str]] | None:
        """Some more lines of the file. Raises OSError."""
        return await self._volume.call("read the transcript", stored.read)

    async def change(self) -> None:
        """Wait for the next line, or the end."""
        await self._changed.wait()

    def _put(self, segment: str, line: TranscriptLine) -> None:
        self._partials_published += 1
        self._partials[segment] = (self._partials_published, line)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Subscription:
    """One reader of the hub. After :meth:`next` was cancelled, it is of no more use."""

    def __init__(self, hub: TranscriptHub, stored: StoredLines, after: int) -> None:
        self._hub = hub
        self._stored: StoredLines | None = stored
        """``None``: caught up with what the hub keeps; who falls behind from then on misses lines."""
        self._read: deque[tuple[int, str]] = deque()
        self._number = after
        """Of the last final line that was handed out."""
        self._partial = 0

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self.next()) is not None:
            yield event

    async def next(self) -> Event | None:
        """The next event; ``None`` behind the last one.

        Raises:
            OSError: the volume does not hand out the lines before.
        """
        while True:
            if (event := await self._from_file()) or (event := self._from_hub()):
                return event
            if self._hub.ended:
                return None
            await self._hub.change()

    async def _from_file(self) -> Event | None:
        while self._stored is not None:
            while self._read:
                number, line = self._read.popleft()
                if self._number < number:
                    self._number = number
                    return Event("line", line, number)
            if self._stored.number + 1 >= self._hub.oldest() or self._number + 1 >= self._hub.oldest():
                # The rest is kept in the hub; a number that was passed over in the file is that of a torn line.
                self._number = max(self._number, min(self._stored.number, self._hub.oldest() - 1))
                self._stored = None
            elif (lines := await self._hub.read(self._stored)) is not None:
                self._read.extend(lines)
            else:  # not written yet, and the hub no longer keeps it: told as missed
                self._stored = None
        return None

    def _from_hub(self) -> Event | None:
        oldest = self._hub.oldest()
        if self._number + 1 < oldest:
            first, self._number = self._number + 1, oldest - 1
            return Event("gap", json.dumps({"first": first, "last": self._number}))
        if self._number < self._hub.last:
            self._number += 1
            return Event("line", self._hub.kept(self._number), self._number)
        if (partial := self._hub.partial_after(self._partial)) is not None:
            self._partial, line = partial
            return Event("partial", line)
        return None


def transcript_stream(hub: TranscriptHub) -> Handler:
    """The handler of ``GET /v1/transcript``; who may call it is checked before."""

    async def handle(request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Last-Event-ID")
        if given is not None and _EVENT_ID.fullmatch(given) is None:
            return problem(HTTPStatus.BAD_REQUEST, "Last-Event-ID is the number of a line")
        stream = await EventStream.begin(request)
        await stream.wait(hub.begun())
        return await _follow(stream, hub.subscribe(None if given is None else int(given)))

    return handle


async def _follow(stream: EventStream, subscription: Subscription) -> web.StreamResponse:
    while True:
        try:
            event = await stream.wait(subscription.next())
        except OSError:  # the volume does not answer; who comes back gets what is missing
            return stream.cut()
        if event is None:
            return stream.response
        await stream.send(event.encode())
