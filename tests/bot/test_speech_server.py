"""A transcript that a server makes: the real transcriber process, Whisper base behind HTTP, and a server that dies."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meeting_buddy.contract.assignment import RecordingConfig, TranscriptionConfig, TranscriptionServer
from meeting_buddy.contract.report import Report
from meeting_buddy_bot.transcription.messages import Partial, Progress, Ready, TranscriberConfig
from tests.bot.recording_bot import JFK, bots, leave_and_end, recording, speaker
from tests.bot.test_live_transcript import EXPECTED, hears, said, words
from tests.bot.test_transcriber import frames, silence, transcribed, utterances
from tests.local.clone import SPEECH
from tests.local.media.probe import run
from tests.local.media.sound import decode
from tests.local.media.speech_server import Fault, SpeechServer, WhisperDecoder

KEY = "sk-test-4f9Zx7Qp2LmW8aBc"
_SECONDS = 400.0
"""For a clip to be played and understood on a busy machine."""

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def decoder() -> WhisperDecoder:
    return WhisperDecoder()


@pytest.fixture
def server(decoder: WhisperDecoder) -> Iterator[SpeechServer]:
    with SpeechServer(decoder, key=KEY) as found:
        yield found


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(KEY)
    return path


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the clip says after its last pause: "ask what you can do for your country"."""
    path = tmp_path_factory.mktemp("speech") / "ending.wav"
    run("ffmpeg", "-ss", "7.9", "-i", str(JFK), str(path))
    return path


async def over(playing: subprocess.Popen[bytes]) -> None:
    """The clip was played to its end."""
    assert await asyncio.to_thread(playing.wait, _SECONDS) == 0


def asks(server: SpeechServer, **fields: Any) -> TranscriptionConfig:
    """What a session's assignment says of it."""
    return TranscriptionConfig(server=TranscriptionServer(url=server.url, model="whisper-1"), **fields)


def test_the_process_understands_a_clip_through_the_server(server: SpeechServer, key_file: Path) -> None:
    clip = SPEECH / "en" / "7902-96591-0000.wav"
    given = TranscriberConfig.of(asks(server, language="auto", vocabulary=("cutter",)), key_file)
    sound = frames(np.concatenate((silence(1), decode(clip), silence(1))))
    code, messages = transcribed(sound, given, "--offline")
    assert code == 0
    assert words(" ".join(each.text for each in utterances(messages))) == words(clip.with_suffix(".txt").read_text())
    assert {each.language for each in utterances(messages)} == {"en"}
    assert any(isinstance(each, Partial) for each in messages)
    for each in utterances(messages):
        assert words(" ".join(word.text for word in each.words)) == words(each.text)
        assert each.start <= each.words[0].start
        assert each.words[-1].end <= each.end
    ready, last = messages[0], messages[-1]
    assert isinstance(ready, Ready)
    assert (ready.engine, ready.model) == ("openai", "whisper-1")
    assert isinstance(last, Progress)
    print(f"{len(server.requests)} requests, {last.cpu_seconds:.1f} CPU s in the transcriber")


async def test_a_server_that_dies_in_mid_meeting_and_comes_back(
    server: SpeechServer, key_file: Path, ending: Path
) -> None:
    with bots() as start:
        bot = start(
            "join; record",
            {"MEETING_BUDDY_TRANSCRIPTION_KEY_FILE": str(key_file)},
            transcription=asks(server),
            recording=RecordingConfig(video="none"),
            unprivileged=False,
        )
        await bot.until(lambda report: recording(report) and hears(report), _SECONDS)
        seen = ""

        async def until_told(state: str, words: str | None, least: int = 0) -> Report:
            def reached(report: Report) -> bool:
                nonlocal seen
                seen += report.to_json()
                found = report.transcription
                told = found.message is None if words is None else words in (found.message or "")
                return found.state == state and told and found.lines >= least

            return await bot.until(reached, _SECONDS)

        with speaker(bot, ending) as playing:
            await until_told("Live", None, least=1)
            await over(playing)
        server.fail(Fault.UNAUTHORIZED)
        with speaker(bot) as playing:
            report = await until_told("Failed", "answered 401 (Incorrect API key provided: [redacted]")
            assert report.transcription.reason == "ServerFailed"
            assert "transcription.server.keySecret" in (report.transcription.message or "")
            await over(playing)
            assert (await bot.report()).transcription.state == "Failed", "it stays told while sound goes on"
        server.stop()
        server.fail(None)
        with speaker(bot) as playing:
            await until_told("Failed", "takes no connection")
            await over(playing)
        server.start()
        with speaker(bot, ending) as playing:
            back = await until_told("Live", None)
            assert back.transcription.message is None
            await over(playing)
        books = await leave_and_end(bot, _SECONDS)
        outcome = bot.outcome.transcription
        assert (outcome.state, outcome.reason) == ("Done", "Incomplete")
        assert "answered 401" in (outcome.message or "")
        assert "check the key" not in (outcome.message or ""), "a remedy is of use while the meeting goes on"
        written = [json.loads(line) for line in (books.folder / "events.jsonl").read_text().splitlines()]
        happened = [each["event"] for each in written]
        assert happened.count("transcriber_fault") >= 2
        assert happened.count("transcriber_recovered") >= 1
        assert [each for each in written if each["event"] == "not_transcribed"]
        kept = [json.loads(line) for line in (books.folder / "transcript.jsonl").read_text().splitlines()]
        assert words(" ".join(said(kept)))[-5:] == EXPECTED[-5:]
        assert server.requests
        files = [each.read_bytes() for each in books.folder.rglob("*") if each.is_file()]
        for text in (seen.encode(), bot.log.encode(), bot.outcome.to_json().encode(), *files):
            assert KEY.encode() not in text
            assert b"Bearer" not in text
