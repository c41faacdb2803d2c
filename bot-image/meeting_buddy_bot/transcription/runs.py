"""The transcriber's process, run after run: it gets the sound that waits, and its messages are passed on.

One that dies or hangs is followed by another, which gets what the dead one had not made final.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.tasks import beside, done_before
from meeting_buddy_bot.transcription.messages import Message, Ready, TranscriberConfig
from meeting_buddy_bot.transcription.missing import DIED
from meeting_buddy_bot.transcription.pending import PendingSound
from meeting_buddy_bot.transcription.status import TranscriptStatus
from meeting_buddy_bot.transcription.transcriber import Transcriber

_RESTART_SECONDS: Final = 2.0
_LONGEST_RESTART: Final = 60.0
"""Seconds before a transcriber is started that has never been ready."""
_HUNG_SECONDS: Final = 60.0
"""Without a message of a transcriber that was ready: it says each second how far it is, whatever it decodes."""
_LOADING_SECONDS: Final = 900.0
"""Without a message of one that is not ready: it loads its model, which may come from a slow volume."""

_log = logging.getLogger(__name__)


class TranscriberRuns:
    """The runs of one session's transcriber."""

    def __init__(
        self,
        config: TranscriberConfig,
        sound: PendingSound,
        status: TranscriptStatus,
        clock: SessionClock,
        events: EventLog,
        *,
        on_start: Callable[[], None],
        on_message: Callable[[Message], None],
    ) -> None:
        """None runs yet.

        Args:
            config: what each process is started with.
            sound: what it is given.
            status: told of one that died; it knows whether another could do better.
            clock: the session's.
            events: the session's.
            on_start: called before each run.
            on_message: called with each message.
        """
        self._config = config
        self._sound = sound
        self._status = status
        self._clock = clock
        self._events = events
        self._on_start = on_start
        self._on_message = on_message
        self._transcriber: Transcriber | None = None
        self._last_message_at = 0.0
        """Time of the transcriber's last message."""
        self._ready = asyncio.Event()
        """The process that runs, or ran last, has said that it can begin."""
        self._changed = asyncio.Event()
        """Something happened after which sound may be handed over."""
        self._died_at: float | None = None
        """How far all was final when the last transcriber died, which had been ready."""
        self._ending = asyncio.Event()
        self._killed = asyncio.Event()

    @property
    def process_id(self) -> int | None:
        """Of the transcriber, while it runs."""
        return self._transcriber.pid if self._transcriber is not None else None

    @property
    def silent_seconds(self) -> float:
        """How long the one that runs has said nothing; 0 while none does."""
        return self._clock.now() - self._last_message_at if self._transcriber is not None else 0.0

    @property
    def killed(self) -> bool:
        """Whether they were ended before all was text."""
        return self._killed.is_set()

    def sound_added(self) -> None:
        """There is more to hand over."""
        self._changed.set()

    def finish(self) -> None:
        """No sound follows: :meth:`run` returns once all of it is text."""
        self._ending.set()
        self._changed.set()

    async def kill(self) -> None:
        """There is no time left: :meth:`run` returns as soon as it can."""
        self._ending.set()
        self._killed.set()
        if self._transcriber is not None:
            await self._transcriber.kill()

    async def run(self) -> None:
        """Until the end, and as long as sound waits then.

        Raises:
            OSError: the process cannot be started.
        """
        pause = _RESTART_SECONDS
        while not self._over():
            await self._run_once()
            if self._over() or (self._ending.is_set() and not self._ready.is_set()):
                break  # in the second case the next one would not be any better
            pause = _RESTART_SECONDS if self._ready.is_set() else min(2 * pause, _LONGEST_RESTART)
            await done_before(self._killed if self._ending.is_set() else self._ending, asyncio.sleep(pause))

    def _over(self) -> bool:
        """Whether no further process is needed: all that was said is text, or nobody waits for it any more."""
        return self._status.given_up or self.killed or (self._ending.is_set() and not self._sound)

    async def _run_once(self) -> None:
        self._ready.clear()
        self._on_start()
        self._sound.hand_again()
        transcriber = self._transcriber = await Transcriber.start(self._config)
        self._last_message_at = self._clock.now()
        try:
            if self.killed:  # meanwhile
                return
            async with beside(self._hand_over(transcriber), self._end_if_hung(transcriber)):
                async for message in transcriber.messages():
                    self._note_message(message)
                    if self._status.given_up:  # a server may say so in mid-meeting, and its process would go on asking
                        await transcriber.kill()
                code = await transcriber.wait()
        finally:
            await transcriber.kill()
            self._transcriber = None
        if self._status.given_up or (code == 0 and self._ending.is_set()):
            self._sound.clear()
        elif code != 0 and not self.killed:
            self._events.write("transcriber_died", code=code)
            _log.warning("the transcriber ended with code %d: %s", code, transcriber.stderr_tail)
            self._note_death()
            self._status.interrupted("the transcriber died and is started again")

    def _note_message(self, message: Message) -> None:
        self._last_message_at = self._clock.now()
        self._changed.set()
        if isinstance(message, Ready):
            self._ready.set()
            self._sound.cause = "the transcriber did not take the sound"
        self._on_message(message)

    def _note_death(self) -> None:
        """A process died: the next one is given what it had, unless this very sound has killed two."""
        if not self._ready.is_set():  # it had not looked at any sound
            self._sound.note_death(self._status.fault_message or DIED)
            return
        self._sound.note_death()
        if self._died_at is None or self._sound.done > self._died_at:
            self._died_at = self._sound.done
            return
        self._died_at = None
        self._sound.give_up_handed()

    async def _end_if_hung(self, transcriber: Transcriber) -> None:
        """Kill a process that says nothing any more: as one that died, it is followed by another."""
        left = seconds = _LOADING_SECONDS
        while left > 0:
            await asyncio.sleep(min(left, _HUNG_SECONDS))
            seconds = _HUNG_SECONDS if self._ready.is_set() else _LOADING_SECONDS
            left = self._last_message_at + seconds - self._clock.now()
        self._events.write("transcriber_hung", seconds=seconds)
        await transcriber.kill()

    async def _hand_over(self, transcriber: Transcriber) -> None:
        """Give the transcriber its sound as fast as it takes it; at the end, all that waits, and then the end."""
        while True:
            self._changed.clear()
            while (frame := self._sound.next()) is not None and transcriber.feed(frame):
                self._sound.handed_over()
            if self._ending.is_set() and not self._sound.waits:
                break
            await self._changed.wait()
        transcriber.end_of_meeting()
