"""An hour of conversation, at the speed of a meeting: the transcriber neither grows nor falls behind."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from meeting_buddy_bot.recording.audio_source import FRAME_SECONDS
from meeting_buddy_bot.transcription.messages import Missed, Progress, Utterance
from tests.local.clone import SPEECH
from tests.local.installation import pod_processes
from tests.local.media import transcriber
from tests.local.media.sound import RATE, decode

SECONDS = 3600.0
PAUSE = 1.2
"""Seconds between two sentences."""
WARM = 600.0
"""Seconds after which its memory has its size."""
MAX_GROWTH = 1.1
MAX_MEMORY = 700_000_000
"""Bytes."""
MAX_BEHIND = 15.0
"""Seconds: what the product calls lagging."""
MAX_WRONG = 0.08

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 600)]


def test_an_hour_is_transcribed_in_flat_memory_and_time() -> None:
    spoken: list[str] = []
    memory: list[tuple[float, int]] = []

    def sentences() -> Iterator[bytes]:
        at = 0.0
        for clip in itertools.cycle(sorted((SPEECH / "en").glob("*.wav"))):
            sound = np.concatenate((decode(clip), np.zeros(round(PAUSE * RATE), np.float32)))
            spoken.append(clip.with_suffix(".txt").read_text())
            for frame in transcriber.frames(sound, at):
                yield frame
                at += FRAME_SECONDS
            if at >= SECONDS:
                return

    def look(pid: int, second: float) -> None:
        if round(second / FRAME_SECONDS) % 300 == 0:
            memory.append((second, pod_processes.cost(pid).rss))

    heard = transcriber.in_real_time(sentences(), transcriber.config(), look)
    progress = [each for _, each in heard if isinstance(each, Progress)]
    behind = [each.heard - each.done for each in progress]
    # Another process of this machine may hold it up for a while; it has to catch up.
    at_the_end = statistics.median(each.heard - each.done for each in progress if each.heard >= SECONDS - WARM)
    normal = EnglishTextNormalizer()
    text = " ".join(each.text for _, each in heard if isinstance(each, Utterance))
    wrong = jiwer.wer(normal(" ".join(spoken)), normal(text))
    early = statistics.median(rss for second, rss in memory if WARM <= second <= 2 * WARM)
    late = statistics.median(rss for second, rss in memory if second >= SECONDS - WARM)
    print(
        f"{wrong:.1%} of the words wrong; {statistics.median(behind):.1f} s behind, {max(behind):.1f} s at most,"
        f" {at_the_end:.1f} s in the last minutes"
    )
    print(f"memory {early / 2**20:.0f} MiB after {2 * WARM:.0f} s, {late / 2**20:.0f} MiB at the end")
    assert not [each for _, each in heard if isinstance(each, Missed)]
    assert at_the_end < MAX_BEHIND
    assert late <= min(MAX_GROWTH * early, MAX_MEMORY)
    assert wrong <= MAX_WRONG
