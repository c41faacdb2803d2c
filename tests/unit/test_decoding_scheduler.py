"""The transcriber's loop with an engine that says what the test wrote: order, skips, revisions, gaps, the end.

The detector is scripted, too: a sample's value is the probability of speech, so that a test writes speech and pauses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from meeting_buddy_bot.recording.audio_source import RATE
from meeting_buddy_bot.transcription.attribution import Attributor
from meeting_buddy_bot.transcription.engine import Decoding, EngineError, Samples, TimedWord
from meeting_buddy_bot.transcription.messages import Fault, Message, Missed, Partial, Recovered, Utterance
from meeting_buddy_bot.transcription.scheduler import DecodingScheduler, Job, attempt, drain
from meeting_buddy_bot.transcription.segmenter import Segmenter
from meeting_buddy_bot.transcription.shortage import Shortage
from meeting_buddy_bot.transcription.sparing import MAX_BEHIND_SECONDS
from tests.unit.test_segmenter import ScriptedDetector, script

FRAME = RATE // 10
WORDS = [f"word{n}" for n in range(1, 40)]


def by_length(pcm: Samples, final: bool) -> str:
    """Two words for each second of the segment."""
    return " ".join(WORDS[: round(len(pcm) / RATE * 2)]) + ("." if final else "")


@dataclass
class FakeEngine:
    """Says what it is told to."""

    says: Callable[[Samples, bool], str] = by_length
    logprob: float = -0.3
    no_speech: float = 0.1
    compression: float = 1.0
    error: Exception | None = None
    name: str = "fake"
    model: str = "none"
    languages: frozenset[str] = frozenset({"en"})
    calls: list[bool] = field(default_factory=list)
    prompts: list[str | None] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)

    def settle(self, decoding: Decoding) -> None:
        self.settled.append(decoding.text)

    def transcribe(self, pcm: Samples, *, final: bool, prompt: str | None) -> Decoding:
        self.calls.append(final)
        self.prompts.append(prompt)
        if self.error:
            raise self.error
        text = self.says(pcm, final)
        spoken = [TimedWord(word, 0.5 * n, 0.5 * n + 0.4, 0.9) for n, word in enumerate(text.split())]
        return Decoding(text, "en", tuple(spoken) if final else (), self.no_speech, self.logprob, self.compression)


class Meeting:
    """Sound that goes on, whether anybody decodes or not."""

    def __init__(self, engine: FakeEngine | None = None) -> None:
        self.engine = engine or FakeEngine()
        self.said: list[Message] = []
        self.shortage = Shortage.NONE
        self.clock = 5000.0
        """Goes on while no sound comes."""
        self.scheduler = DecodingScheduler(
            Segmenter(ScriptedDetector()),
            self.said.append,
            settle=self.engine.settle,
            shortage=lambda: self.shortage,
            clock=lambda: self.clock,
        )
        self.time = 0.0
        self.decoded: list[tuple[float, bool]] = []
        """When each decoding of :meth:`hear_slowly` was begun, and whether it was a final."""

    def hear(self, *parts: tuple[float, float], decoding: bool = True) -> None:
        """Probabilities of speech, each for so many seconds."""
        pcm = script(*parts)
        for first in range(0, len(pcm), FRAME):
            samples = pcm[first : first + FRAME]
            self.scheduler.feed(self.time, (samples * 32767).astype("<i2").tobytes())
            self.time += len(samples) / RATE
            self.clock += len(samples) / RATE
            if decoding:
                drain(self.scheduler, self.engine)

    def hear_slowly(self, seconds: float, *parts: tuple[float, float]) -> None:
        """The same with decodings that take so long, while the sound goes on."""
        running: tuple[Job, float] | None = None
        for probability, length in parts:
            for _ in range(round(length * RATE / FRAME)):
                self.hear((probability, FRAME / RATE), decoding=False)
                if running and self.time >= running[1]:
                    self.finish(running[0], seconds)
                    running = None
                if running is None and (job := self.scheduler.next_job()) is not None:
                    self.decoded.append((self.time, job.final))
                    running = job, self.time + seconds
        if running:
            self.finish(running[0], seconds)

    def take(self) -> Job:
        """The next job, left running."""
        job = self.scheduler.next_job()
        assert job is not None
        return job

    def finish(self, job: Job, seconds: float = 0.0) -> None:
        self.scheduler.complete(job, attempt(job, self.engine), seconds)

    def end(self) -> None:
        self.scheduler.end()
        drain(self.scheduler, self.engine)

    @property
    def partials(self) -> list[Partial]:
        return [each for each in self.said if isinstance(each, Partial)]

    @property
    def utterances(self) -> list[Utterance]:
        return [each for each in self.said if isinstance(each, Utterance)]

    @property
    def missed(self) -> list[Missed]:
        return [each for each in self.said if isinstance(each, Missed)]


def test_a_segment_is_said_while_it_is_spoken_and_once_more_when_it_is_over() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 4), (0, 2))
    assert [each.revision for each in meeting.said if isinstance(each, Partial | Utterance)] == [1, 2, 3, 4, 5, 6]
    assert {each.segment for each in meeting.partials} == {1}
    (final,) = meeting.utterances
    assert meeting.said[-1] is final
    assert (round(final.start, 1), round(final.end, 1)) == (0.6, 5.2)
    assert final.words[0].start == final.start
    assert all(a.end >= a.start for a in final.words)
    assert final.words[-1].end <= final.end


def test_the_first_text_comes_after_less_than_a_second_of_speech_and_the_next_each_second() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 5))
    ends = [each.end for each in meeting.partials]
    assert 1.7 <= ends[0] <= 2.0
    assert all(1.0 <= b - a <= 1.15 for a, b in pairwise(ends))


def test_what_is_committed_stays_while_the_segment_is_open() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 6))
    prefixes = [each.text[: each.committed] for each in meeting.partials]
    assert prefixes[-1]
    assert all(b.startswith(a) for a, b in pairwise(prefixes))


def test_a_final_that_contradicts_what_was_committed_takes_its_place() -> None:
    meeting = Meeting(FakeEngine(lambda pcm, final: "something else" if final else by_length(pcm, final)))
    meeting.hear((0, 1), (0.9, 4), (0, 2))
    assert meeting.partials[-1].committed > 0
    assert meeting.utterances[0].text == "something else"
    assert meeting.utterances[0].revision == meeting.partials[-1].revision + 1


def test_silence_is_never_decoded() -> None:
    meeting = Meeting()
    meeting.hear((0, 30), (0.3, 10))
    meeting.end()
    assert not meeting.engine.calls
    assert not meeting.said


def test_a_pause_is_decoded_as_if_it_were_the_end_and_the_final_is_there_when_it_is() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 0.9), (0, 0.5))
    assert meeting.engine.calls == [False, True]
    assert not meeting.utterances
    meeting.hear((0, 0.2), decoding=False)
    assert [each.text for each in meeting.utterances] == [meeting.partials[-1].text]
    meeting.hear((0, 5))
    assert meeting.engine.calls == [False, True]


def test_a_pause_in_a_sentence_is_no_end() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 0.9), (0, 0.45), (0.9, 1))
    assert True in meeting.engine.calls
    assert not meeting.utterances
    meeting.hear((0, 2))
    (final,) = meeting.utterances
    assert final.text == by_length(np.zeros(round((final.end - final.start) * RATE), np.float32), final=True)


def test_an_early_decoding_that_the_end_overtakes_is_the_final() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 0.9), (0, 0.4), decoding=False)
    early = meeting.take()
    assert early.final
    meeting.hear((0, 1), (0.9, 1), decoding=False)
    meeting.finish(early)
    assert [each.segment for each in meeting.utterances] == [1]
    meeting.end()
    assert [each.segment for each in meeting.utterances] == [1, 2]


def test_an_early_decoding_that_speech_overtakes_is_no_final() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 0.9), (0, 0.4), decoding=False)
    early = meeting.take()
    assert early.early
    meeting.hear((0.9, 1), (0, 1), decoding=False)  # somebody goes on, and is over, too
    meeting.finish(early)
    assert not meeting.utterances
    meeting.end()
    (final,) = meeting.utterances
    assert final.end - final.start > early.segment.seconds + 0.5


def test_an_early_decoding_that_speech_overtakes_and_that_fails_costs_nothing() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 0.9), (0, 0.4), decoding=False)
    early = meeting.take()
    meeting.hear((0.9, 1), (0, 1), decoding=False)
    meeting.scheduler.complete(early, EngineError("ServerFailed", "the server is away"), 0.0)
    meeting.end()
    assert len(meeting.utterances) == 1
    assert not meeting.missed


def test_only_text_that_stays_tells_of_the_language() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 0.9), (0, 0.45), (0.9, 1), (0, 1))
    meeting.engine.logprob = -3.0
    meeting.hear((0.9, 1), (0, 1))
    assert len(meeting.engine.settled) == 1


def test_one_slow_decoding_in_a_pause_is_not_the_last_one() -> None:
    meeting = Meeting()
    early = []
    for cost in (2.1, 0.1, 0.1):
        meeting.hear((0.9, 2))
        early.append(0)
        for _ in range(12):
            meeting.hear((0, 0.1), decoding=False)
            while (job := meeting.scheduler.next_job()) is not None:
                early[-1] += job.early
                meeting.finish(job, cost)
    assert early == [1, 0, 1]


def test_a_final_that_fails_at_once_shows_no_fast_decoder() -> None:
    meeting = Meeting()
    early = 0
    for fails in (False, True, False):
        meeting.hear((0.9, 2), decoding=False)
        for _ in range(12):
            meeting.hear((0, 0.1), decoding=False)
            while (job := meeting.scheduler.next_job()) is not None:
                early += job.early
                if fails and job.final:
                    meeting.scheduler.complete(job, EngineError("ServerFailed", "the server is away"), 0.01)
                else:
                    meeting.finish(job, 6.0)
    assert early == 1


def test_an_early_decoding_that_fails_is_made_again() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 0.9))
    meeting.engine.error = EngineError("ServerFailed", "the server is away")
    meeting.hear((0, 0.5))
    meeting.engine.error = None
    meeting.hear((0, 1))
    assert len(meeting.utterances) == 1
    assert not meeting.missed


def test_a_slow_decoder_makes_partial_texts_rarer_and_of_the_newest_sound() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 1))
    slow = meeting.take() if not meeting.partials else None
    assert slow is None  # the fast ones were made on the spot
    meeting.hear((0.9, 1), decoding=False)
    job = meeting.take()
    meeting.hear((0.9, 4), decoding=False)
    assert meeting.scheduler.next_job() is None  # one at a time
    meeting.finish(job, seconds=4.0)
    newest = meeting.take()
    assert not newest.final
    assert newest.segment.end == pytest.approx(meeting.time, abs=0.05)  # those between were skipped, not queued
    meeting.finish(newest, seconds=4.0)
    meeting.hear((0.9, 1.5), decoding=False)
    assert meeting.scheduler.next_job() is None  # a second is too soon for such a decoder


def test_finals_come_before_partial_texts_and_in_order() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 1), (0, 1), (0.9, 1), (0, 1), (0.9, 2), decoding=False)
    jobs = []
    while (job := meeting.scheduler.next_job()) is not None:
        jobs.append((job.segment.number, job.final))
        meeting.finish(job)
    assert jobs == [(1, True), (2, True), (3, False)]


def test_a_partial_text_that_comes_too_late_is_not_said() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 1), decoding=False)
    late = meeting.take()
    meeting.hear((0, 1), decoding=False)
    meeting.finish(late)
    assert not meeting.said
    drain(meeting.scheduler, meeting.engine)
    assert [each.revision for each in meeting.utterances] == [1]


def test_at_the_end_of_the_input_all_finals_are_written() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 1), (0, 1), (0.9, 2), decoding=False)
    meeting.end()
    assert [each.segment for each in meeting.utterances] == [1, 2]
    assert meeting.scheduler.idle
    assert meeting.scheduler.progress().done == meeting.scheduler.progress().heard == pytest.approx(5.0)


def test_a_gap_in_the_sound_parts_two_segments() -> None:
    meeting = Meeting()
    meeting.hear((0.9, 2))
    meeting.time += 10
    meeting.hear((0.9, 2))
    meeting.end()
    first, second = meeting.utterances
    assert first.end == pytest.approx(2, abs=0.05)
    assert second.start == pytest.approx(12, abs=0.05)


def test_a_decoder_that_falls_behind_misses_the_oldest_and_says_so() -> None:
    meeting = Meeting()
    meeting.hear((0.9, 1), decoding=False)
    stuck = meeting.take()
    for _ in range(12):
        meeting.hear((0.9, 9), (0, 1), decoding=False)
    assert len(meeting.missed) >= 4
    starts = [each.start for each in meeting.missed]
    assert starts == sorted(starts)
    assert "behind" in meeting.missed[0].cause
    meeting.finish(stuck)
    meeting.end()
    kept = meeting.utterances
    assert sum(each.end - each.start for each in kept) <= MAX_BEHIND_SECONDS
    assert kept[0].start >= meeting.missed[-1].end
    assert len(kept) + len(meeting.missed) == 12
    assert not meeting.partials  # of what was missed nothing was said, not even late


def test_a_missed_segment_takes_back_what_was_said_of_it() -> None:
    meeting = Meeting()
    meeting.hear((0.9, 3))
    assert meeting.partials
    meeting.engine.error = RuntimeError("no memory")
    meeting.hear((0, 1))
    (withdrawn,) = meeting.utterances
    assert withdrawn.text == ""
    assert withdrawn.revision == meeting.partials[-1].revision + 1
    assert meeting.missed[0].cause == "the decoder failed: RuntimeError"


def test_a_server_that_fails_is_said_once_until_it_works_again() -> None:
    meeting = Meeting(FakeEngine(error=EngineError("ServerFailed", "no answer")))
    meeting.hear((0.9, 3), (0, 1), (0.9, 3), (0, 1))
    faults = [each for each in meeting.said if isinstance(each, Fault)]
    assert [(each.reason, each.message) for each in faults] == [("ServerFailed", "no answer")]
    assert len(meeting.missed) == 2
    meeting.engine.error = None
    meeting.hear((0.9, 2), (0, 1))
    assert len(meeting.utterances) == 1
    assert [each.kind for each in meeting.said if isinstance(each, Fault | Recovered)] == ["fault", "recovered"]


def test_a_text_that_is_left_out_shows_that_the_server_works_again() -> None:
    meeting = Meeting(FakeEngine(lambda *_: "…", error=EngineError("ServerFailed", "no answer")))
    meeting.hear((0.9, 1))
    meeting.engine.error = None
    meeting.hear((0.9, 1.5))
    assert [each.kind for each in meeting.said] == ["fault", "recovered"]


LIMITED = EngineError("ServerFailed", "the server answered 429", passes=True)


def test_a_server_that_limits_how_often_it_is_asked_is_asked_for_finals_alone() -> None:
    meeting = Meeting(FakeEngine(error=LIMITED))
    meeting.hear_slowly(0.1, (0.9, 5), (0, 0.5), (0.9, 4), (0, 1), (0.9, 3))
    # a partial text; the final; the same again after two seconds
    assert meeting.engine.calls == [False, True, True]
    meeting.engine.error = None
    meeting.hear_slowly(0.1, (0.9, 5))
    assert meeting.engine.calls[3:5] == [True, False]
    assert [each.kind for each in meeting.said if isinstance(each, Fault | Recovered)] == ["fault", "recovered"]
    assert not meeting.missed


def test_a_final_waits_a_minute_for_a_server_that_is_away_and_those_behind_it_as_well() -> None:
    meeting = Meeting(FakeEngine(error=LIMITED))
    meeting.hear_slowly(0.1, (0.9, 2), (0, 1), (0.9, 2), (0, 50))
    assert not meeting.missed
    assert len(meeting.engine.calls) < 10
    meeting.engine.error = None
    meeting.hear_slowly(0.1, (0, 15))
    assert [each.segment for each in meeting.utterances] == [1, 2]
    meeting.engine.error = LIMITED
    meeting.hear_slowly(0.1, (0.9, 2), (0, 100))
    assert [each.cause for each in meeting.missed] == ["the server answered 429"]


def test_what_waits_for_a_server_that_is_away_at_the_end_is_asked_for_a_little_longer() -> None:
    for back in (True, False):
        meeting = Meeting(FakeEngine(error=LIMITED))
        meeting.hear_slowly(0.1, (0.9, 2), (0, 1), (0.9, 2), (0, 1))
        meeting.scheduler.end()
        for second in range(20):
            meeting.clock += 1
            if back and second == 5:
                meeting.engine.error = None
            while (job := meeting.scheduler.next_job()) is not None:
                meeting.finish(job)
        assert meeting.scheduler.idle
        assert (len(meeting.utterances), len(meeting.missed)) == ((2, 0) if back else (0, 2))


def test_too_much_that_waits_for_a_server_is_missed_for_its_cause() -> None:
    meeting = Meeting(FakeEngine(error=LIMITED))
    for _ in range(9):
        meeting.hear_slowly(0.1, (0.9, 9), (0, 0.8))
    assert meeting.missed
    assert {each.cause for each in meeting.missed} == {"the server answered 429"}


def test_failures_that_differ_in_their_words_alone_are_one() -> None:
    meeting = Meeting()
    for error in (
        EngineError("ServerFailed", "wait 3 s", kind="429"),
        EngineError("ServerFailed", "wait 2 s", kind="429"),
        EngineError("ServerFailed", "no", kind="401"),
    ):
        meeting.engine.error = error
        meeting.hear((0.9, 2), (0, 1))
    assert [each.message for each in meeting.said if isinstance(each, Fault)] == ["wait 3 s", "no"]


@pytest.mark.parametrize(
    "engine",
    [
        FakeEngine(compression=3.0),
        FakeEngine(no_speech=0.9, logprob=-1.2),
        FakeEngine(logprob=-2.0),
        FakeEngine(lambda *_: "…"),
        FakeEngine(lambda *_: "See you later, everyone. " * 4),
    ],
    ids=["repeats itself", "no speech", "guessed", "no letter", "more than anybody can say"],
)
def test_invented_text_is_left_out(engine: FakeEngine) -> None:
    meeting = Meeting(engine)
    meeting.hear((0, 1), (0.9, 0.9), (0, 1))
    meeting.end()
    assert True in engine.calls
    assert not meeting.said


@pytest.mark.parametrize("doubt", [{"no_speech": 0.8}, {"logprob": -1.3}], ids=["no speech?", "unsure"])
def test_one_doubt_is_not_enough_to_lose_a_yes(doubt: dict[str, float]) -> None:
    meeting = Meeting(FakeEngine(lambda *_: "Yes.", **doubt))  # type: ignore[arg-type]  # floats, all of them
    meeting.hear((0, 1), (0.9, 0.3), (0, 1))
    assert [each.text for each in meeting.utterances] == ["Yes."]


@pytest.mark.parametrize("engine", [FakeEngine(lambda *_: ""), FakeEngine(compression=3.0)], ids=["empty", "a loop"])
def test_much_speech_of_which_the_engine_makes_nothing_is_missed(engine: FakeEngine) -> None:
    meeting = Meeting(engine)
    meeting.hear((0, 1), (0.9, 4), (0, 1), (0.9, 6), (0, 1))
    meeting.end()
    [missed] = meeting.missed
    assert (round(missed.start, 1), round(missed.end, 1)) == (5.6, 12.2)
    assert missed.cause == "the engine made no sense of it"
    assert not meeting.utterances


def test_a_final_that_is_invented_takes_back_what_was_said() -> None:
    meeting = Meeting(FakeEngine(lambda pcm, final: "" if final else by_length(pcm, final)))
    meeting.hear((0, 1), (0.9, 2), (0, 1))
    assert meeting.partials
    assert [each.text for each in meeting.utterances] == [""]


def test_only_a_sentence_that_was_cut_is_told_what_came_before() -> None:
    meeting = Meeting(FakeEngine(lambda *_: "much was said before"))
    meeting.hear((0.9, 2), (0, 1), (0.9, 20), (0, 1))
    finals = [prompt for prompt, final in zip(meeting.engine.prompts, meeting.engine.calls, strict=True) if final]
    assert finals == [None, None, "was said before"]


def test_progress_does_not_pass_what_is_still_undone() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 1), (0, 1), (0.9, 1), (0, 2), decoding=False)
    assert meeting.scheduler.progress().done == pytest.approx(0.6, abs=0.05)
    job = meeting.take()
    assert meeting.scheduler.progress().done == pytest.approx(0.6, abs=0.05)
    meeting.finish(job)
    assert meeting.scheduler.progress().done == pytest.approx(2.6, abs=0.05)
    drain(meeting.scheduler, meeting.engine)
    assert meeting.scheduler.progress().done == pytest.approx(6.0, abs=0.5)
    assert meeting.scheduler.progress().heard == pytest.approx(6.0)


def test_quiet_speech_is_given_to_the_engine_as_loud_as_any() -> None:
    peaks: list[float] = []

    def listen(pcm: Samples, final: bool) -> str:
        peaks.append(float(np.abs(pcm).max()))
        return "Yes."

    class Voice(ScriptedDetector):
        def probability(self, window: Samples) -> float:
            return float(np.abs(window).max() > 0.001)

    engine, said = FakeEngine(listen), list[Message]()
    scheduler = DecodingScheduler(Segmenter(Voice()), said.append)
    scheduler.feed(0.0, (script((0.018, 1), (0, 1)) * 32767).astype("<i2").tobytes())
    scheduler.end()
    drain(scheduler, engine)
    assert peaks == [pytest.approx(0.5, abs=0.01)]


def test_what_is_committed_is_counted_in_the_text_that_is_shown() -> None:
    texts = iter(
        [
            "\u200fשלום\u200f לכולם\u200f מה נשמע",
            "\u200fשלום\u200f לכולם\u200f מה שמעתם",
            "\u200fשלום\u200f לכולם\u200f אז הלכנו",
        ]
    )
    meeting = Meeting(FakeEngine(lambda *_: next(texts, "")))
    meeting.hear((0, 1), (0.9, 3.5))
    lines = [Attributor(lambda _: datetime.now(UTC)).partial(each) for each in meeting.partials[:3]]
    assert [each.text for each in lines] == [each.text for each in meeting.partials[:3]]
    committed = [each.text[: each.committed] for each in lines]
    assert committed == ["", "שלום לכולם מה", "שלום לכולם מה"]
