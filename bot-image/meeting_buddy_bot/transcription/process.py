"""``python -m meeting_buddy_bot.transcription.process CONFIG_JSON``: frames on standard input, messages on the output.

A process of its own, niced, so that how it ends is no matter of the recording. Three threads: one reads frames and
never waits for anything, one decodes, and the main one cuts, decides and writes. Niceness counts inside the container
alone; for the sake of the browser, which is in another one, ``shortage`` tells when to decode less.

With ``--offline`` the sound waits for the decoder instead (a recording is transcribed as fast as it can be, and none
of it is missed, also while a server is away), with ``--finals-only`` nothing is said of a segment before it is over.

Exit code 0: the input ended and all of it was written; 1: it could not work at all, as the last line says (``fault``).

If this process dies: the lines that it wrote are whole up to the last line break. The supervisor starts another one,
and gives it the sound of what was not final.
"""

import argparse
import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from meeting_buddy_bot.recording.audio_source import FRAME_BYTES
from meeting_buddy_bot.support.causes import cause_of
from meeting_buddy_bot.transcription import engines
from meeting_buddy_bot.transcription.engine import Decoding, Engine, EngineError
from meeting_buddy_bot.transcription.messages import (
    FRAME_HEAD,
    Fault,
    Message,
    Ready,
    TranscriberConfig,
)
from meeting_buddy_bot.transcription.scheduler import DecodingScheduler, Job, attempt, drain
from meeting_buddy_bot.transcription.segmenter import Segmenter, SileroDetector
from meeting_buddy_bot.transcription.shortage import Shortage, ShortageGauge, longest_wait, thread_waits

NICENESS: Final = 19
"""The lowest. SCHED_IDLE would leave half of it on a busy machine: too little for finals to keep up."""
PROGRESS_SECONDS: Final = 1.0
LONGEST_DECODING: Final = 300.0
"""Seconds after which a decoding is taken to hang; what waits meanwhile would soon be given up anyhow."""
_QUIET_TURNS: Final = 5
"""In a row in which no frame came, of :data:`PROGRESS_SECONDS` each: silence has frames, so the sound ends here.

They are counted instead of the time, which also goes on while this process does not.
"""
_OFFLINE_FRAMES: Final = 100
"""That are read ahead when the sound can wait."""
_LIVE_FRAMES: Final = 600
"""That may wait to be cut; the next ones wait with whoever sends them, who knows when they have waited too long."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Frame:
    start: float
    pcm: bytes


@dataclass(frozen=True, slots=True)
class _Decoded:
    job: Job
    outcome: Decoding | Exception
    seconds: float
    waited: float
    """For a processor."""


class _End:
    """Of the input."""


class _HungError(Exception):
    """A decoding does not end, and no thread can be made to: another process has to go on."""


_Inbox = queue.Queue[_Frame | _Decoded | _End]


class _Output:
    """Messages, one line and one write each, so that a line is there or is not."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def say(self, message: Message) -> None:
        self._stream.write(message.model_dump_json().encode() + b"\n")
        self._stream.flush()


class _Transcriber:
    """The main thread's work."""

    def __init__(
        self, engine: Engine, output: _Output, inbox: _Inbox, *, partials: bool, gauge: ShortageGauge | None
    ) -> None:
        """``gauge``: of the processors that decoding takes here; ``None``: it takes none, or nobody else wants them."""
        self._engine = engine
        self._output = output
        self._inbox = inbox
        self._gauge = gauge
        self._scheduler = DecodingScheduler(
            Segmenter(SileroDetector()),
            output.say,
            settle=engine.settle,
            partials=partials,
            shortage=lambda: gauge.shortage if gauge else Shortage.NONE,
        )
        self._progress_at = 0.0
        self._decoding_since: float | None = None
        self._quiet_turns = 0

    def run(self) -> None:
        """Transcribe while the sound goes on.

        Raises:
            _HungError: a decoding does not end.
        """
        jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        threading.Thread(target=self._decode, args=(jobs,), name="decoder", daemon=True).start()
        ended = False
        while not (ended and self._scheduler.idle):
            try:
                match self._inbox.get(timeout=PROGRESS_SECONDS):
                    case _Frame(start, pcm):
                        self._quiet_turns = 0
                        self._scheduler.feed(start, pcm)
                    case _Decoded(job, outcome, seconds, waited):
                        self._decoding_since = None
                        if self._gauge:
                            self._gauge.end()
                        self._scheduler.complete(job, outcome, seconds, waited)
                    case _End():
                        self._scheduler.end()
                        ended = True
            except queue.Empty:  # nobody sends sound: progress is said nevertheless
                self._quiet_turns += 1
                if self._quiet_turns == _QUIET_TURNS:
                    self._scheduler.pause()
            if (next_job := self._scheduler.next_job()) is not None:
                if self._gauge:
                    self._gauge.begin()
                self._decoding_since = time.monotonic()
                jobs.put(next_job)
            if self._decoding_since is not None and time.monotonic() > self._decoding_since + LONGEST_DECODING:
                raise _HungError
            self._say_progress()
        self._say_progress(now=True)

    def run_offline(self) -> None:
        """Transcribe as fast as can be, the sound waiting."""
        while isinstance(frame := self._inbox.get(), _Frame):
            self._scheduler.feed(frame.start, frame.pcm)
            drain(self._scheduler, self._engine, time.sleep)
            self._say_progress()
        self._scheduler.end()
        drain(self._scheduler, self._engine, time.sleep)
        self._say_progress(now=True)

    def _decode(self, jobs: queue.SimpleQueue[Job]) -> None:
        while True:
            job = jobs.get()
            begun, cpu_begun, waits = time.monotonic(), time.process_time(), thread_waits() if self._gauge else {}
            outcome = attempt(job, self._engine)
            seconds = time.monotonic() - begun
            waited = 0.0
            if self._gauge:  # without it a server is asked: who waits for that one waits for no processor
                idle = seconds - (time.process_time() - cpu_begun)  # all that a decoder of one thread can wait for
                waited = max(idle, longest_wait(waits, thread_waits()))
            self._inbox.put(_Decoded(job, outcome, seconds, waited))

    def _say_progress(self, *, now: bool = False) -> None:
        if now or time.monotonic() >= self._progress_at:
            if self._gauge:
                self._gauge.look()
            self._output.say(self._scheduler.progress(time.process_time()))
            self._progress_at = time.monotonic() + PROGRESS_SECONDS


def read_frames(stream: BinaryIO, inbox: _Inbox) -> None:
    """Put frames into the inbox until the stream ends; what is left of a frame that was cut off is dropped."""
    size = FRAME_HEAD.size + FRAME_BYTES
    while len(frame := stream.read(size)) == size:
        (start,) = FRAME_HEAD.unpack_from(frame)
        inbox.put(_Frame(start, frame[FRAME_HEAD.size :]))
    inbox.put(_End())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the process; its exit code."""
    parser = argparse.ArgumentParser(description="Transcribe speech as it is spoken.")
    parser.add_argument("config", type=TranscriberConfig.model_validate_json, help="JSON of a TranscriberConfig")
    parser.add_argument("--offline", action="store_true", help="the sound waits for the decoder")
    parser.add_argument("--finals-only", action="store_true", help="no partial texts")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    os.nice(NICENESS)
    # OpenMP's threads would spin between two decodings, on processors that the browser needs.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("KMP_BLOCKTIME", "0")
    # Only messages go out: whatever a library prints goes to standard error.
    output = _Output(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    inbox: _Inbox = queue.Queue(_OFFLINE_FRAMES if arguments.offline else _LIVE_FRAMES)
    threading.Thread(target=read_frames, args=(sys.stdin.buffer, inbox), name="reader", daemon=True).start()
    try:
        return _run(arguments.config, output, inbox, offline=arguments.offline, partials=not arguments.finals_only)
    except BrokenPipeError:
        _log.warning("nobody reads what is transcribed")
        return 1
    except _HungError:
        _log.error("a decoding did not end within %.0f s", LONGEST_DECODING)
        return 1
    except Exception as error:  # the reader holds standard input, so that the interpreter could only abort
        place = traceback.extract_tb(error.__traceback__)[-1]
        # Not the error's own words, which may be what was spoken.
        _log.error("%s in %s, line %s", cause_of(error), place.filename, place.lineno)
        return 1


def _run(config: TranscriberConfig, output: _Output, inbox: _Inbox, *, offline: bool, partials: bool) -> int:
    try:
        engine = engines.build(config)
    except EngineError as error:
        output.say(Fault(reason=error.reason, message=str(error)))
        return 1
    gauge = None if offline or config.engine == "openai" else ShortageGauge()
    transcriber = _Transcriber(engine, output, inbox, partials=partials, gauge=gauge)
    output.say(Ready(engine=engine.name, model=engine.model))
    if offline:
        transcriber.run_offline()
    else:
        transcriber.run()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # The reader may still wait in a read, and the interpreter for its lock.
    os._exit(code)
