"""The bot's transcriber process, driven as its supervisor does, at the speed of a meeting or faster."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from subprocess import PIPE, Popen

import numpy as np

from meeting_buddy_bot.recording.audio_source import FRAME_BYTES, FRAME_SECONDS
from meeting_buddy_bot.transcription.messages import FRAME_HEAD, MESSAGES, Message, Progress, TranscriberConfig
from tests.local.media.sound import Samples
from tests.local.media.speech_model import model_folder
from tests.support.awaiting import PATIENCE


def config(language: str = "en") -> TranscriberConfig:
    """With the tests' model, on one processor."""
    return TranscriberConfig(model=str(model_folder()), language=language, threads=1)


def argv(asked: TranscriberConfig, *options: str) -> list[str]:
    """Its command line."""
    return [sys.executable, "-m", "meeting_buddy_bot.transcription.process", asked.model_dump_json(), *options]


def frames(sound: Samples, start: float = 0.0) -> Iterator[bytes]:
    """What the supervisor sends, the last frame filled up with silence; ``start``: of the sound, seconds."""
    whole = np.pad(sound, (0, -len(sound) % (FRAME_BYTES // 2)))
    pcm = (np.clip(whole, -1, 1) * 32767).astype("<i2").tobytes()
    for number, first in enumerate(range(0, len(pcm), FRAME_BYTES)):
        yield FRAME_HEAD.pack(start + number * FRAME_SECONDS) + pcm[first : first + FRAME_BYTES]


def in_real_time(
    sent: Iterable[bytes],
    asked: TranscriberConfig,
    look: Callable[[int, float], None] | None = None,
    *,
    lead: float = math.inf,
) -> list[tuple[float, Message]]:
    """Each message with the second of the sound at which it came.

    Args:
        sent: frames, the first of which begins at second 0; each is sent when it would have been spoken.
        asked: the process's configuration.
        look: called after each frame, and once before the end, with the process's id and the second.
        lead: seconds of sound that the process has not heard yet, from which on nobody speaks: on a busy machine, the
            lowest niceness may leave it no processor for long.
    """
    process = Popen(argv(asked), stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    heard = [(0.0, MESSAGES.validate_json(process.stdout.readline()))]
    taken_in, reached = threading.Condition(), 0.0
    began = time.monotonic()

    def read() -> None:
        nonlocal reached
        assert process.stdout is not None
        for line in process.stdout:
            message = MESSAGES.validate_json(line)
            heard.append((time.monotonic() - began, message))
            if isinstance(message, Progress):
                with taken_in:
                    reached = message.heard
                    taken_in.notify()

    def near(second: float) -> bool:
        return second - reached <= lead

    reader = threading.Thread(target=read)
    reader.start()
    second = 0.0
    for number, frame in enumerate(sent, start=1):
        second = number * FRAME_SECONDS
        time.sleep(max(0.0, began + second - time.monotonic()))
        if not near(second):
            with taken_in:
                assert taken_in.wait_for(partial(near, second), PATIENCE), "the process hears nothing"
            began = time.monotonic() - second
        process.stdin.write(frame)
        process.stdin.flush()
        if look is not None:
            look(process.pid, second)
    process.stdin.close()
    reader.join()
    process.wait()
    return heard
