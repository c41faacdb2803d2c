"""Whisper on this machine's processors, by faster-whisper, from a folder and never from a model hub.

Whisper encodes half a minute however short the sound is; that is most of what a decoding costs. So only the frames
that hold sound are encoded, with a margin: a small one for text that is replaced a second later, a larger one for text
that stays. Such short contexts sometimes make the decoder run in circles; the text's compression ratio and probability
tell, and it decodes once more with all of it.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import ctranslate2
import faster_whisper
import faster_whisper.transcribe

from meeting_buddy.contract.languages import AUTO
from meeting_buddy_bot.recording.audio_source import RATE
from meeting_buddy_bot.transcription.agreement import unspaced
from meeting_buddy_bot.transcription.engine import LOOPING, Decoding, EngineError, Samples, TimedWord, repetition
from meeting_buddy_bot.transcription.messages import TranscriberConfig

FRAMES_PER_SECOND: Final = 100
FULL_FRAMES: Final = 3000
PASSING_FRAMES: Final = (10 * FRAMES_PER_SECOND, 2 * FRAMES_PER_SECOND)
"""At least so many, and so many more than hold sound: with less Whisper repeats itself."""
FINAL_FRAMES: Final = (15 * FRAMES_PER_SECOND, 5 * FRAMES_PER_SECOND)
"""For text that stays: less than half the cost of half a minute, and one word in a hundred worse in noise."""
_DOUBTFUL: Final = -1.0
"""Average log probability below which a short context may be to blame; Whisper's own limit."""

_FALLBACK_TEMPERATURES: Final = (0.0, 0.2, 0.4)
_MAX_VOCABULARY_TOKENS: Final = 100
_MAX_PROMPT_TOKENS: Final = 60
_SPECIAL_TOKENS: Final = 16
"""More than a prompt has beside both of the above."""
_FREE_TOKENS: Final = 15
_TOKENS_PER_SECOND: Final = 10
"""With the ones above more than anybody speaks: it ends a decoder that runs in circles."""
_MOST_TOKENS_PER_SECOND: Final = 50
_BROKEN_WORDS: Final = {
    code: rate
    for rate, codes in (
        (20, "ba hi hy kk mr ne ps sa sd ta th yi yo"),
        (_MOST_TOKENS_PER_SECOND, "am as bn bo gu ka km kn lo ml my pa si te"),
    )
    for code in codes.split()
}
"""The same in languages whose words Whisper's tokenizer breaks: about a token for each letter, or two to three."""
_REMEDY: Final = "use an image with one, or mount one there (the bot class's transcription.modelClaim)"
_SURE: Final = 0.8
_DETECTIONS: Final = 3
"""Segments after which the language is the one that most of them were in, should none be sure."""

_log = logging.getLogger(__name__)


class WhisperEngine:
    """A model folder as faster-whisper takes it (CTranslate2), in 8 bit on the processor."""

    name = "faster-whisper"

    def __init__(self, config: TranscriberConfig) -> None:
        """Load the model.

        Raises:
            EngineError: no model there, or it does not know the language.
        """
        folder = Path(config.model)
        self.model = folder.name
        # Without its tokenizer faster-whisper would ask a model hub for one.
        if not config.model or not all((folder / name).is_file() for name in ("model.bin", "tokenizer.json")):
            raise EngineError("NoModel", f"there is no speech model in {folder}: {_REMEDY}")
        ctranslate2.set_random_seed(1)  # the same sound gives the same words, at any temperature
        try:
            self._whisper: Any = faster_whisper.WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=config.threads, local_files_only=True
            )
        except Exception as error:  # whatever its libraries make of such files
            raise EngineError(
                "NoModel",
                f"the speech model in {folder} does not load ({error}): {_REMEDY}",
            ) from error
        self.languages = self._known_languages()
        self._language = self._chosen_language(config.language)
        self._detected: Counter[str] = Counter()
        self._vocabulary = self._within(_MAX_VOCABULARY_TOKENS, config.vocabulary, ", ") or None
        self._vocabulary_tokens = self._count(self._vocabulary or "")
        self._frames = FULL_FRAMES
        # It decodes a text that repeats itself once more, warmer, and would take plain Tamil for one.
        library: Any = faster_whisper.transcribe
        library.get_compression_ratio = repetition
        encode = self._whisper.encode
        self._whisper.encode = lambda features: encode(features[..., : self._frames])

    def transcribe(self, pcm: Samples, *, final: bool, prompt: str | None) -> Decoding:
        """See :class:`Engine`."""
        least, margin = FINAL_FRAMES if final else PASSING_FRAMES
        sounding = len(pcm) * FRAMES_PER_SECOND // RATE + 1
        frames = min(max(least, sounding + margin), FULL_FRAMES) // 2 * 2
        decoding = self._decode(pcm, frames, final=final, prompt=prompt)
        doubtful = decoding.compression_ratio > LOOPING or (final and decoding.average_logprob < _DOUBTFUL)
        if doubtful and frames < FULL_FRAMES:
            decoding = self._decode(pcm, FULL_FRAMES, final=final, prompt=prompt)
        return decoding

    def _decode(self, pcm: Samples, frames: int, *, final: bool, prompt: str | None) -> Decoding:
        self._frames = frames
        before = self._within(_MAX_PROMPT_TOKENS, (prompt or "").split(), " ", last=True)
        try:
            found, info = self._whisper.transcribe(
                pcm,
                language=self._language,
                beam_size=5 if final else 1,
                best_of=1,
                temperature=_FALLBACK_TEMPERATURES if final else 0.0,
                condition_on_previous_text=False,
                initial_prompt=before or None,
                hotwords=self._vocabulary,
                word_timestamps=final,  # twice the cost of a partial text; timestamps of phrases stay on in both
                max_new_tokens=self._most_tokens(len(pcm) / RATE, before),
            )
            segments = list(found)
        finally:
            self._frames = FULL_FRAMES
        weights = [max(len(each.tokens), 1) for each in segments]
        texts: defaultdict[int, str] = defaultdict(str)
        for each in segments:
            texts[each.seek] += each.text  # of one go, which it parts at the times that it wrote
        return Decoding(
            text="".join(each.text for each in segments).strip(),
            language=info.language,
            language_probability=info.language_probability,
            words=_joined(word for each in segments for word in each.words or ()),
            no_speech_probability=max((each.no_speech_prob for each in segments), default=1.0),
            average_logprob=(
                sum(each.avg_logprob * weight for each, weight in zip(segments, weights, strict=True)) / sum(weights)
                if segments
                else 0.0
            ),
            compression_ratio=max(map(repetition, texts.values()), default=0.0),
        )

    def _most_tokens(self, seconds: float, before: str) -> int:
        """Whisper's limit for so much sound: of it and the prompt together CTranslate2 grants half, 224 at most.

        What is said behind that many is decoded next, where the text stays.
        """
        rate = _BROKEN_WORDS.get(self._language, _TOKENS_PER_SECOND) if self._language else _MOST_TOKENS_PER_SECOND
        tokens = _FREE_TOKENS + int(seconds * rate)
        prompt = self._vocabulary_tokens + self._count(before) + _SPECIAL_TOKENS
        return min(2 * tokens, int(self._whisper.max_length) - prompt)

    def _known_languages(self) -> frozenset[str]:
        """What the model has a token for: faster-whisper's own list is the one of the newest models."""
        known = self._whisper.supported_languages
        if not self._whisper.model.is_multilingual:
            return frozenset(known)
        return frozenset(code for code in known if self._whisper.hf_tokenizer.token_to_id(f"<|{code}|>") is not None)

    def _chosen_language(self, asked: str) -> str | None:
        """``None`` leaves it to be detected."""
        code = asked.lower().partition("-")[0]
        if code == AUTO:
            return "en" if self.languages == {"en"} else None
        if code not in self.languages:
            known = "English only" if self.languages == {"en"} else f"{len(self.languages)} others"
            raise EngineError(
                "LanguageNotSupported",
                f"the model {self.model} does not know the language {asked} (it knows {known}): "
                "choose another model, or another language",
            )
        return code

    def settle(self, decoding: Decoding) -> None:
        """See :class:`Engine`: a language that was detected well enough is kept, one segment in another is nonsense."""
        if self._language is not None:
            return
        language = decoding.language
        self._detected[language] += 1
        if decoding.language_probability < _SURE:
            if self._detected.total() < _DETECTIONS:
                return
            language = self._detected.most_common(1)[0][0]
        self._language = language
        _log.info("the language is %s", language)

    def _within(self, limit: int, parts: tuple[str, ...] | list[str], joint: str, *, last: bool = False) -> str:
        """As many of the parts, from the first on or up to the last, as fit into so many tokens."""
        kept = list(parts)
        while kept and self._count(joint.join(kept)) > limit:
            kept.pop(0 if last else -1)
        return joint.join(kept)

    def _count(self, text: str) -> int:
        """Tokens, a few special ones included."""
        return len(self._whisper.hf_tokenizer.encode(text).ids)


def _joined(pieces: Iterable[Any]) -> tuple[TimedWord, ...]:
    """Words as the text has them: faster-whisper parts "ill-disposed" at its hyphen, where there is no blank."""
    found: list[TimedWord] = []
    for piece in pieces:
        text, probability = piece.word.strip(), min(float(piece.probability), 1.0)
        if not text:
            continue
        start, end = float(piece.start), float(piece.end)
        if found and not piece.word[0].isspace() and not unspaced(text):
            last = found.pop()
            text, start, probability = last.text + text, last.start, min(last.probability or 0.0, probability)
        found.append(TimedWord(text, start, end, probability))
    return tuple(found)
