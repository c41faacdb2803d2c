"""How good, how quick and how costly the transcript is, beside transcribing each three seconds of sound for themselves.

The live part plays the English clips with pauses into the transcriber's own process at the speed of a meeting.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np
from faster_whisper import WhisperModel
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from meeting_buddy_bot.transcription.messages import MESSAGES, Partial, Progress, Utterance
from tests.local.bench.figures import Figure
from tests.local.clone import SPEECH
from tests.local.installation import pod_processes
from tests.local.media import transcriber
from tests.local.media.sound import RATE, Samples, decode
from tests.local.media.speech_model import model_folder

_PAUSE = 1.5
"""Seconds between two clips: longer than the silence that ends a segment."""
_RUNS = 3
_CHUNK = 3
_SOUNDING = 0.02
"""Of the clip's peak: below it nobody speaks yet, or any more."""
_GOALS = {"en": "≤ 3 %", "de": "≤ 20 %", "fr": "≤ 25 %"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """Clips one after the other: their sound, their words, and from when to when each of them sounds."""

    language: str
    sound: Samples
    text: str
    turns: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        """Length with the pauses."""
        return len(self.sound) / RATE

    @property
    def speech_seconds(self) -> float:
        """Length without them."""
        return sum(end - start for start, end in self.turns)

    def wrong(self, text: str) -> float:
        """Word error rate of what was understood, by Whisper's normaliser for the language."""
        normal = EnglishTextNormalizer() if self.language == "en" else BasicTextNormalizer()
        return float(jiwer.wer(normal(self.text), normal(text)))


def transcripts() -> list[Figure]:
    """All rows that need no meeting."""
    figures = []
    for language, goal in _GOALS.items():
        spoken = _spoken(language)
        runs = [_offline(spoken) for _ in range(_RUNS)]
        chunks = _in_chunks(spoken)
        cpu = statistics.median(cpu for _, cpu in runs)
        figures += [
            Figure(
                f"words wrong, {language}",
                f"{statistics.median(wrong for wrong, _ in runs):.1%}",
                f"each {_CHUNK} s for itself {chunks.wrong:.1%}",
                goal,
            ),
            Figure(
                f"CPU s per second of sound, {language}",
                f"{cpu / spoken.seconds:.2f}",
                f"each {_CHUNK} s for itself {chunks.cpu / spoken.seconds:.2f}",
                "",
            ),
        ]
    return [*figures, *_live(_spoken("en"))]


@dataclass(frozen=True, slots=True)
class _Chunks:
    """What comes of sound that is cut each three seconds, wherever that is."""

    wrong: float
    cpu: float
    first: float
    """Median of the seconds from a turn's first sound to its first text."""
    last: float
    """Median of the seconds from its last sound to the text with it."""


def _in_chunks(spoken: Spoken) -> _Chunks:
    model = WhisperModel(str(model_folder()), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
    before = time.process_time()
    texts, ready = [], []
    for first in range(0, len(spoken.sound), _CHUNK * RATE):
        began = time.monotonic()
        found, _ = model.transcribe(
            spoken.sound[first : first + _CHUNK * RATE], language=spoken.language, beam_size=1, vad_filter=True
        )
        texts.append(" ".join(each.text.strip() for each in found))
        ready.append(first / RATE + _CHUNK + time.monotonic() - began)
    cpu = time.process_time() - before
    to_first = statistics.median(ready[int(start // _CHUNK)] - start for start, _ in spoken.turns)
    to_last = statistics.median(ready[int(end // _CHUNK)] - end for _, end in spoken.turns)
    return _Chunks(spoken.wrong(" ".join(texts)), cpu, to_first, to_last)


def _offline(spoken: Spoken) -> tuple[float, float]:
    """Word error rate and CPU seconds of one run in which the sound waits for the decoder."""
    frames = b"".join(transcriber.frames(spoken.sound))
    argv = transcriber.argv(transcriber.config(spoken.language), "--offline")
    done = subprocess.run(argv, input=frames, capture_output=True, check=True)
    messages = [MESSAGES.validate_json(line) for line in done.stdout.splitlines()]
    cpu = max(each.cpu_seconds for each in messages if isinstance(each, Progress))
    return spoken.wrong(" ".join(each.text for each in messages if isinstance(each, Utterance))), cpu


def _live(spoken: Spoken) -> list[Figure]:
    """Figures of one run at the speed of a meeting; times are seconds of waiting, as people see them."""
    memory = 0

    def look(pid: int, _second: float) -> None:
        nonlocal memory
        memory = max(memory, pod_processes.cost(pid).rss)

    heard = transcriber.in_real_time(transcriber.frames(spoken.sound), transcriber.config(), look)
    chunks = _in_chunks(spoken)
    partials, commits, finals = [], [], []
    for start, end in spoken.turns:
        mine = [
            (at, each)
            for at, each in heard
            if isinstance(each, Partial | Utterance) and each.start < end and each.end > start
        ]
        shown = [at for at, each in mine if each.text]
        committed = [at for at, each in mine if isinstance(each, Utterance) or each.committed]
        final = [at for at, each in mine if isinstance(each, Utterance)]
        partials += [min(shown) - start] if shown else []
        commits += [min(committed) - start] if committed else []
        finals += [max(final) - end] if final else []
    cpu = max(each.cpu_seconds for _, each in heard if isinstance(each, Progress))
    text = " ".join(each.text for _, each in heard if isinstance(each, Utterance))
    return [
        Figure("live: words wrong", f"{spoken.wrong(text):.1%}", f"each {_CHUNK} s {chunks.wrong:.1%}", "≤ 3 %"),
        Figure("live: first text after speech begins", _median(partials), f"{chunks.first:.1f} s", "≤ 1.8 s"),
        Figure("live: first text that stays", _median(commits), "", ""),
        Figure("live: final after speech ends", _median(finals), f"{chunks.last:.1f} s", "≤ 2.2 s"),
        Figure(
            "live: cores while somebody speaks",
            f"{cpu / spoken.speech_seconds:.2f}",
            f"{chunks.cpu / spoken.speech_seconds:.2f}",
            "≤ 0.55",
        ),
        Figure("live: memory of the transcriber", f"{memory / 2**20:.0f} MiB", "", "≤ 700 MB"),
    ]


def _spoken(language: str) -> Spoken:
    parts: list[Samples] = [np.zeros(round(_PAUSE * RATE), np.float32)]
    turns, texts, at = [], [], _PAUSE
    for clip in sorted((SPEECH / language).glob("*.wav")):
        sound = decode(clip)
        sounding = np.flatnonzero(np.abs(sound) > _SOUNDING * np.abs(sound).max())
        turns.append((at + sounding[0] / RATE, at + sounding[-1] / RATE))
        parts += [sound, np.zeros(round(_PAUSE * RATE), np.float32)]
        texts.append(clip.with_suffix(".txt").read_text())
        at += len(sound) / RATE + _PAUSE
    return Spoken(language, np.concatenate(parts), " ".join(texts), tuple(turns))


def _median(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):.1f} s ({min(values):.1f}–{max(values):.1f})" if values else "none"
