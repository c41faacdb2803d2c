"""The transcriber's main thread with a scripted detector: a server that is away, and sound that ends without a word."""

from __future__ import annotations

import io
import queue
import time
from collections.abc import Sequence

import pytest

from meeting_buddy_bot.recording.audio_source import FRAME_BYTES, RATE
from meeting_buddy_bot.transcription import process
from meeting_buddy_bot.transcription import scheduler as live_transcription
from meeting_buddy_bot.transcription.engine import Decoding, EngineError, Samples
from meeting_buddy_bot.transcription.messages import (
    MESSAGES,
    Fault,
    Message,
    Missed,
    Recovered,
    TranscriberConfig,
    Utterance,
)
from meeting_buddy_bot.transcription.openai_engine import OpenAIEngine
from tests.local.media import speech_server
from tests.local.media.speech_server import SpeechServer
from tests.unit.test_decoding_scheduler import FakeEngine
from tests.unit.test_segmenter import ScriptedDetector, script

AWAY = EngineError("ServerFailed", "the server is away", "start it", passes=True)
BROKEN = EngineError("ServerFailed", "the server is broken", "fix it")
_Item = process._Frame | process._Decoded | process._End


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "SileroDetector", ScriptedDetector)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Those that the process makes; none of them takes time."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


def frames(*parts: tuple[float, float], start: float = 0.0) -> list[_Item]:
    """Frames of probabilities of speech, each for so many seconds."""
    pcm = (script(*parts) * 32767).astype("<i2").tobytes()
    count = len(pcm) // FRAME_BYTES
    step = FRAME_BYTES / 2 / RATE
    return [process._Frame(start + n * step, pcm[n * FRAME_BYTES : (n + 1) * FRAME_BYTES]) for n in range(count)]


class Failing(FakeEngine):
    """Fails so often, then works."""

    def __init__(self, error: EngineError, times: int) -> None:
        super().__init__()
        self.failure, self.left = error, times

    def transcribe(self, pcm: Samples, *, final: bool, prompt: str | None) -> Decoding:
        self.left -= 1
        self.error = self.failure if self.left >= 0 else None
        return super().transcribe(pcm, final=final, prompt=prompt)


def offline(engine: FakeEngine | OpenAIEngine, sentences: int) -> list[Message]:
    """What is said of a recording, of finals alone."""
    items = frames(*[(0.0, 1.0), (0.9, 2.0)] * sentences, (0.0, 1.0))
    inbox: process._Inbox = queue.Queue()
    for item in [*items, process._End()]:
        inbox.put(item)
    written = io.BytesIO()
    process._Transcriber(engine, process._Output(written), inbox, partials=False, gauge=None).run_offline()
    return [MESSAGES.validate_json(line) for line in written.getvalue().splitlines()]


def of(kind: type[Message], messages: list[Message]) -> list[Message]:
    return [each for each in messages if isinstance(each, kind)]


class TestOffline:
    """The sound can wait."""

    def test_a_server_that_names_a_long_time_is_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ahead = 0.0

        def sleep(seconds: float) -> None:
            nonlocal ahead
            ahead += seconds

        monkeypatch.setattr(time, "sleep", sleep)
        with SpeechServer(lambda *_: {"text": "Ask not.", "language": "en"}) as server:
            config = TranscriberConfig(engine="openai", base_url=server.url, model="m", language="en")
            engine = OpenAIEngine(config, now=lambda: time.monotonic() + ahead, sleep=sleep)
            server.retry_after = "20"
            server.fail(speech_server.Fault.LIMITED, times=1)
            messages = offline(engine, 4)
            assert len(server.requests) == 5
        assert len(of(Utterance, messages)) == 4
        assert not of(Missed, messages)
        assert ahead > 19

    def test_a_server_that_is_started_again_costs_no_text(self, pauses: list[float]) -> None:
        messages = offline(Failing(AWAY, times=6), 3)
        assert len(of(Utterance, messages)) == 3
        assert not of(Missed, messages)
        assert len(of(Fault, messages)) == len(of(Recovered, messages)) == 1
        assert pauses == [2, 4, 8, 16, 30, 30]

    def test_a_failure_that_stays_is_not_waited_for(self, pauses: list[float]) -> None:
        messages = offline(Failing(BROKEN, times=1), 3)
        assert len(of(Missed, messages)) == 1
        assert len(of(Utterance, messages)) == 2
        assert pauses == []

    def test_sound_that_a_server_dies_of_holds_up_the_rest_for_minutes_and_not_for_ever(
        self, pauses: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live_transcription, "LONGEST_PATIENCE", 14.0)
        messages = offline(Failing(AWAY, times=4), 3)
        assert len(of(Missed, messages)) == 1
        assert len(of(Utterance, messages)) == 2
        assert pauses == [2, 4, 8]

    def test_a_server_that_never_answers_is_not_waited_for_with_each_final_again(
        self, pauses: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live_transcription, "LONGEST_PATIENCE", 14.0)
        messages = offline(Failing(AWAY, times=100), 3)
        assert len(of(Missed, messages)) == 3
        assert pauses == [2, 4, 8]

    def test_a_decoding_that_succeeds_renews_the_patience(
        self, pauses: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Alternating(Failing):
            def transcribe(self, pcm: Samples, *, final: bool, prompt: str | None) -> Decoding:
                if self.left < 0:
                    self.left = 3
                return super().transcribe(pcm, final=final, prompt=prompt)

        monkeypatch.setattr(live_transcription, "LONGEST_PATIENCE", 14.0)
        messages = offline(Alternating(AWAY, times=3), 3)
        assert not of(Missed, messages)
        assert pauses == [2, 4, 8] * 3


class TestLive:
    """The sound does not wait, and finals do, for a while."""

    def test_a_server_that_is_started_again_costs_no_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live_transcription, "FIRST_PAUSE", 0.01)
        monkeypatch.setattr(process, "PROGRESS_SECONDS", 0.05)
        inbox: process._Inbox = queue.Queue()
        for item in [*frames((0.0, 1.0), (0.9, 2.0), (0.0, 1.0)), process._End()]:
            inbox.put(item)
        written = io.BytesIO()
        engine = Failing(AWAY, times=4)
        process._Transcriber(engine, process._Output(written), inbox, partials=True, gauge=None).run()
        messages = [MESSAGES.validate_json(line) for line in written.getvalue().splitlines()]
        assert len(of(Utterance, messages)) == len(of(Fault, messages)) == len(of(Recovered, messages)) == 1
        assert not of(Missed, messages)


class Turns(process._Inbox):
    """An inbox that hands out what a test wrote; ``None``: nothing came in time."""

    def __init__(self, items: Sequence[_Item | None], written: io.BytesIO) -> None:
        super().__init__()
        self.items, self.written = list(items), written
        self.before_end = b""
        """What was written before the end of the sound was told."""
        self.transcriber: process._Transcriber | None = None

    def get(self, block: bool = True, timeout: float | None = None) -> _Item:
        assert self.transcriber is not None
        if not self.transcriber._scheduler.idle:
            return super().get()  # a decoding is brought back first
        if not self.items:
            self.before_end = self.written.getvalue()
            return process._End()
        item = self.items.pop(0)
        if item is None:
            raise queue.Empty
        return item


def live(*items: _Item | None) -> tuple[list[Utterance], int]:
    """Finals of sound that comes so, and how many of them there were before its end was told."""
    written = io.BytesIO()
    inbox = Turns(items, written)
    inbox.transcriber = process._Transcriber(FakeEngine(), process._Output(written), inbox, partials=False, gauge=None)
    inbox.transcriber.run()

    def finals(lines: bytes) -> list[Utterance]:
        messages = (MESSAGES.validate_json(line) for line in lines.splitlines())
        return [each for each in messages if isinstance(each, Utterance)]

    return finals(written.getvalue()), len(finals(inbox.before_end))


class TestSoundThatDoesNotCome:
    """Nobody says that it ended: the bot has lost its meeting, and tries to come back."""

    def test_what_is_open_is_over_after_a_while(self) -> None:
        said, before = live(*frames((0.0, 1.0), (0.9, 2.0)), *[None] * 5)
        assert (len(said), before) == (1, 1)

    def test_what_comes_later_is_another_segment(self) -> None:
        said, _ = live(*frames((0.0, 1.0), (0.9, 2.0)), *[None] * 300, *frames((0.9, 2.0), start=300.0))
        assert [(each.segment, round(each.start)) for each in said] == [(1, 1), (2, 300)]

    def test_frames_that_are_late_cut_no_word(self) -> None:
        speech = frames((0.0, 1.0), (0.9, 4.0))
        items: list[_Item | None] = []
        for at in range(0, len(speech), 10):
            items += [*speech[at : at + 10], *[None] * 4]
        [said], _ = live(*items)
        assert said.end - said.start == pytest.approx(4.4, abs=0.2)
