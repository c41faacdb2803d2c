"""What of a meeting's sound is transcribed when transcribers die: all but what kills them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from meeting_buddy_bot.recording.audio_source import FRAME_BYTES, FRAME_SECONDS, PcmFrame
from meeting_buddy_bot.transcription import pending
from meeting_buddy_bot.transcription.messages import Fault, Missed, TranscriberConfig, Utterance
from meeting_buddy_bot.transcription.pending import PendingSound
from meeting_buddy_bot.transcription.publishing import TranscriptFiles
from meeting_buddy_bot.transcription.transcriber import Transcriber
from tests.support.awaiting import until
from tests.unit.test_transcript_troubles import (  # noqa: F401 -- fixture
    READY,
    Session,
    at_once,
    fails_with,
    progress,
    session,
)


def frame(start: float) -> PcmFrame:
    return PcmFrame(round(start, 1), bytes(FRAME_BYTES))


def final(segment: int, start: float, end: float, text: str = "hello", language: str = "en") -> Utterance:
    return Utterance(segment=segment, revision=1, start=start, end=end, language=language, text=text)


async def play(session: Session, start: float, end: float) -> None:
    """Frames one after the other, as far as the process takes them."""
    for number in range(round((end - start) / FRAME_SECONDS)):
        session.sound.to_come.put_nowait(frame(start + number * FRAME_SECONDS))
    await until(session.sound.to_come.empty)
    await asyncio.sleep(0.01)
    session.clock.time = end


async def begun(session: Session) -> None:
    await session.begin()
    session.reporter.admitted(session.clock.utc(), "hints")
    await session.say(READY)


def seconds(fed: list[float]) -> tuple[float, float]:
    return fed[0], round(fed[-1] + FRAME_SECONDS, 1)


def told(session: Session) -> tuple[str, str | None]:
    return session.report.state, session.report.message


async def written(session: Session) -> list[dict[str, Any]]:
    """The events."""
    await session.events.flush()
    return [json.loads(line) for line in (session.folder / "events.jsonl").read_text().splitlines()]


async def test_the_next_process_is_given_what_the_dead_one_had_not_made_final(session: Session) -> None:
    await begun(session)
    await play(session, 0, 20)
    await session.say(progress(12))
    await session.die()
    session.processes[-1].takes = 0
    await play(session, 20, 30)
    session.processes[-1].takes = 10**6
    await session.say(READY)
    await play(session, 30, 31)
    assert session.processes[-1].fed == [frame(each / 10).start for each in range(120, 310)]
    await session.say(progress(31))
    report = await session.end(31)
    assert (report.state, report.reason, report.message) == ("Done", None, None)


async def test_what_is_said_while_no_process_runs_is_kept(session: Session) -> None:
    await begun(session)
    await play(session, 0, 5)
    session.starting.clear()
    session.processes[-1].code = -9
    session.processes[-1].said.put_nowait(None)
    await until(lambda: session.transcript.process_id is None)
    await play(session, 5, 10)
    session.starting.set()
    await until(lambda: len(session.processes) == 2 and session.processes[1].fed)
    await until(lambda: seconds(session.processes[1].fed) == (0, 10))


async def test_a_segment_whose_final_is_written_is_not_given_again(session: Session) -> None:
    await begun(session)
    await play(session, 0, 20)
    await session.say(progress(3), final(1, 3, 9.04))
    await session.die()
    await until(lambda: session.processes[1].fed)
    assert seconds(session.processes[1].fed) == (9.0, 20)
    await session.say(READY, final(1, 10, 12), progress(20))
    await session.end(20)
    lines = [json.loads(each) for each in (session.folder / "transcript.jsonl").read_text().splitlines()]
    assert [each["segment"] for each in lines] == ["1", "2"]


async def test_what_was_told_missing_is_not_given_again_and_what_waited_before_it_is(session: Session) -> None:
    await begun(session)
    await play(session, 0, 20)
    withdrawn = final(2, 5, 10, text="")
    await session.say(progress(0), withdrawn, Missed(start=5, end=10, cause="the decoder was behind"))
    await session.die()
    await until(lambda: session.processes[1].fed)
    fed = session.processes[1].fed
    assert seconds(fed) == (0, 20)
    assert not [each for each in fed if 5 <= each < 9.95]


async def test_sound_that_kills_two_processes_is_told_missing_and_what_follows_is_heard(session: Session) -> None:
    await begun(session)
    await play(session, 0, 20)
    await session.say(progress(10))
    await session.die()
    await session.say(READY)
    await until(lambda: session.processes[1].fed)
    await session.say(progress(10))
    await session.die()
    await session.say(READY)
    await play(session, 20, 22)
    assert seconds(session.processes[2].fed) == (20, 22)
    await session.say(progress(22))
    report = await session.end(22)
    assert (report.reason, report.message) == ("Incomplete", "without text: 10-20 s (the transcriber died)")


async def test_two_deaths_at_different_places_cost_nothing(session: Session) -> None:
    await begun(session)
    await play(session, 0, 20)
    for at in (5, 10):
        await session.say(READY, progress(at))
        await session.die()
    await until(lambda: session.processes[2].fed)
    assert seconds(session.processes[2].fed) == (10, 20)


async def test_a_process_that_was_never_ready_says_nothing_of_the_sound(session: Session) -> None:
    await begun(session)
    await play(session, 0, 20)
    for _ in range(4):
        await session.die()
    await until(lambda: session.processes[-1].fed)
    assert seconds(session.processes[-1].fed) == (0, 20)


async def ending_unheard(session: Session) -> asyncio.Task[None]:
    """The meeting is over, and the process, which has twenty seconds of it, goes on; the waiting for its end."""
    session.hears_the_end = False
    await begun(session)
    await play(session, 0, 20)
    finishing = asyncio.create_task(session.transcript.finish())
    await asyncio.sleep(0.05)
    return finishing


async def test_a_death_at_the_end_is_followed_by_a_process_for_what_waits(session: Session) -> None:
    finishing = await ending_unheard(session)
    session.hears_the_end = True
    await session.die()
    async with asyncio.timeout(60):
        await finishing
    assert seconds(session.processes[1].fed) == (0, 20)
    assert (await session.end(20)).message is None


async def test_a_process_that_dies_unready_at_the_end_is_the_last(session: Session) -> None:
    await session.begin()
    session.reporter.admitted(session.clock.utc(), "hints")
    await play(session, 0, 20)
    session.processes[-1].code = -9
    report = await session.end(20)
    assert len(session.processes) == 1
    assert report.message == "without text: 0-20 s (the transcriber died)"


async def test_what_kept_every_process_from_starting_is_why_there_is_no_text(session: Session) -> None:
    fault = Fault(reason="ServerFailed", message="no certificate can be read: check extraCa of the bot class")
    await session.begin()
    session.reporter.admitted(session.clock.utc(), "hints")
    await play(session, 0, 20)
    await session.say(fault)
    await session.die()
    await session.say(fault)
    session.processes[-1].code = 1
    report = await session.end(20)
    assert report.message == f"without text: 0-20 s ({fault.message})"


async def test_there_is_an_end_of_waiting_for_a_process_between_two(session: Session) -> None:
    finishing = await ending_unheard(session)
    session.starting.clear()
    session.processes[-1].code = -9
    session.processes[-1].said.put_nowait(None)
    await until(lambda: session.transcript.process_id is None)
    await asyncio.sleep(0.05)
    closing = asyncio.create_task(session.transcript.close())
    await asyncio.sleep(0.05)
    session.starting.set()
    async with asyncio.timeout(60):
        await asyncio.gather(closing, finishing)
    await session.transcript.publish()
    assert session.report.message == "without text: 0-20 s (there was no time left for it)"


@pytest.fixture
async def behind(session: Session, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Forty seconds wait when its process dies; the next one gets ten at a time."""
    monkeypatch.setattr(pending, "AHEAD_FRAMES", 100)
    await begun(session)
    await play(session, 0, 40)
    await session.die()
    return session


async def test_a_process_gets_no_more_old_sound_than_it_lets_wait(behind: Session) -> None:
    session = behind
    await until(lambda: session.processes[1].fed)
    assert seconds(session.processes[1].fed) == (0, 10)
    await session.say(READY, progress(4))
    await until(lambda: seconds(session.processes[1].fed) == (0, 14))
    await session.say(progress(14))
    await until(lambda: seconds(session.processes[1].fed) == (0, 24))


async def test_at_the_end_all_that_waits_is_given_before_the_end_is(behind: Session) -> None:
    session = behind
    await session.say(READY)
    ending = asyncio.create_task(session.end(40))
    await asyncio.sleep(0.05)
    assert not ending.done()
    for at in (10, 20, 30):
        await until(lambda at=at: seconds(session.processes[1].fed) == (0, at), 10)  # type: ignore[misc]
        session.processes[1].said.put_nowait(progress(at))
    assert (await asyncio.wait_for(ending, 20)).message is None
    assert seconds(session.processes[1].fed) == (0, 40)


async def test_a_source_that_fails_otherwise_than_the_system_does_is_told_and_tried_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> AsyncGenerator[PcmFrame, None]:
        raise ValueError("no sound at all")
        yield frame(0)

    await session.begin()
    session.reporter.admitted(session.clock.utc(), "hints")
    await session.hear(0)
    await fails_with(session, monkeypatch, broken)
    assert told(session) == ("Lagging", "the transcript failed (ValueError) and is started again")
    monkeypatch.undo()
    monkeypatch.setattr(Transcriber, "start", session._start)
    session.running = asyncio.create_task(session.transcript.run(at_once))
    await until(lambda: len(session.processes) >= 3)
    await session.hear(60)
    await session.say(READY, progress(60))
    assert told(session) == ("Live", None)
    report = await session.end(60.2)
    assert report.message == "without text: 0-60 s (the transcript failed (ValueError))"


async def test_an_engine_that_gives_up_in_the_meeting_is_told_with_what_is_missing_and_the_files(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def spoilt(_: object) -> str:
        return "transcript.vtt: not what was written when read again"

    monkeypatch.setattr(TranscriptFiles, "publish", spoilt)
    await begun(session)
    await play(session, 0, 10)
    await session.say(progress(10), final(1, 1, 2))
    session.processes[-1].said.put_nowait(Fault(reason="LanguageNotSupported", message="choose another language"))
    await until(lambda: session.report.state == "Failed")
    report = await session.end(600)
    assert (report.state, report.reason) == ("Failed", "LanguageNotSupported")
    assert report.message == (
        "choose another language; transcript.vtt: not what was written when read again; "
        "without text: 10-600 s (the engine gave up: LanguageNotSupported)"
    )
    assert {"transcript_not_verified", "not_transcribed"} <= {each["event"] for each in await written(session)}


async def test_who_was_never_admitted_has_no_transcript(session: Session) -> None:
    await session.begin()
    await session.say(READY, progress(0))
    assert session.report.state == "Starting"
    report = await session.end(900)
    assert (report.state, report.reason, report.message) == ("Off", None, None)


async def test_it_is_live_once_it_is_admitted(session: Session) -> None:
    await session.begin()
    await session.say(READY, progress(0))
    session.reporter.admitted(session.clock.utc(), "hints")
    await session.say(progress(0))
    assert session.report.state == "Live"


@pytest.mark.parametrize(("asked", "found"), [("auto", ["de", "en"]), ("de", [])])
async def test_the_language_that_was_found_is_told(session: Session, asked: str, found: list[str]) -> None:
    session.transcript._config = TranscriberConfig(language=asked)
    await begun(session)
    languages = ("und", "de", "de", "und", "en")
    await session.say(*(final(n, n, n + 0.5, language=each) for n, each in enumerate(languages, 1)))
    await session.say(final(9, 9, 10, text="", language="fr"))
    told = [each["language"] for each in await written(session) if each["event"] == "transcriber_language"]
    assert told == found


# What is kept


Stretch = tuple[float, float, str]


@pytest.fixture
def missed() -> list[Stretch]:
    return []


@pytest.fixture
def sound(missed: list[Stretch]) -> PendingSound:
    return PendingSound(lambda start, end, cause: missed.append((round(start, 1), round(end, 1), cause)))


def test_no_more_is_kept_than_six_minutes(sound: PendingSound, missed: list[Stretch]) -> None:
    for number in range(pending.MAX_FRAMES + 150):
        sound.add(frame(number / 10))
    assert len(sound) <= pending.MAX_FRAMES
    assert missed == [(0, 10, sound.cause), (10, 20, sound.cause)]


def test_what_only_the_process_has_is_missing_if_it_dies(sound: PendingSound, missed: list[Stretch]) -> None:
    for number in range(pending.MAX_FRAMES + 50):
        sound.add(frame(number / 10))
        sound.handed_over()
    assert not missed
    sound.note_death()
    assert missed == [(0, 5, "the transcriber died")]
    sound.hand_again()
    assert sound.next() == frame(5)


def test_a_gap_parts_two_stretches(sound: PendingSound, missed: list[Stretch]) -> None:
    for start in (1.0, 1.1, 1.2, 5.0, 5.1):
        sound.add(frame(start))
        sound.handed_over()
    sound.give_up_handed()
    assert missed == [(1.0, 1.3, sound.cause), (5.0, 5.2, sound.cause)]
    assert round(sound.done, 1) == 5.2
