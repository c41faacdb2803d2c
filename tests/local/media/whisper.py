"""English speech to text by OpenAI's Whisper base, on this machine's processors: the tests' ear.

Transcribing takes about a tenth of the sound's length on one core.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from faster_whisper import WhisperModel

from tests.local.media.sound import Samples
from tests.local.media.speech_model import model_folder


def transcribe(samples: Samples) -> str:
    """What is said in it, in English. The same samples always give the same words."""
    segments, _ = _model().transcribe(
        np.ascontiguousarray(samples),
        language="en",
        beam_size=1,
        temperature=0.0,  # no second try by chance
        condition_on_previous_text=False,
        vad_filter=True,  # Whisper hears words in silence
    )
    return " ".join(segment.text.strip() for segment in segments)


@lru_cache(maxsize=1)
def _model() -> WhisperModel:
    return WhisperModel(str(model_folder()), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
