"""One person: enters a room, speaks their turns of the conversation on time, and shows a picture if they have one.

Run as a process of its own (`python -m tests.local.meetings.livekit.speaker CONFIG`, a JSON object with the fields of
`SpeakerConfig`). SIGTERM makes the person leave.

Sound is sent without pause, silence between the turns included: a stream that starts and stops makes the receivers
stretch and squeeze what they play.  Everything runs on the conversation's clock, so a late block or frame catches up
and never shifts what follows.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
import wave
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from livekit import rtc
from livekit.rtc._proto.room_pb2 import AudioEncoding  # the package does not re-export this one

from tests.local.meetings import priority
from tests.local.meetings.livekit import keys, picture
from tests.local.meetings.livekit.paths import SIGNAL_PORT
from tests.local.meetings.livekit.schedule import FRAME_RATE, RATE, Turn, conversation, conversation_clips

_BLOCK = 0.1  # seconds of sound per call: each crosses into native code and back
_AHEAD = 3  # blocks in the queue before the one that is being sent: 0.3 s in which we may be late
_VOICE_BITRATE = 128_000  # more than people's own clients use: what is judged is the recording, not the codec
_PICTURE_BITRATE = 900_000

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class SpeakerConfig:
    """What a person gets at the start; `beginning` is the conversation's time zero on the monotonic clock."""

    room: str
    identity: str
    name: str
    video: bool
    people: list[str]
    clips: str
    beginning: float
    seconds: float
    keys: str
    speech_log: str


class SpeechLog:
    """What was said when, as JSON lines, each written at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def note(self, event: str, **fields: object) -> None:
        """Append one entry."""
        print(json.dumps({"event": event, **fields}), file=self._file)


class Voice:
    """The sound of one person, block after block from the conversation's beginning."""

    def __init__(self, config: SpeakerConfig) -> None:
        sentences = conversation_clips(Path(config.clips))
        self._turns = (turn for turn in conversation(config.people, sentences) if turn.person == config.name)
        self._samples = {sentence.path: _load(sentence.path) for sentence in sentences}
        self._turn = next(self._turns)

    def block(self, number: int) -> tuple[Samples, Turn | None]:
        """The samples of block `number`, and the turn that begins in it. Numbers must not fall."""
        length = round(_BLOCK * RATE)
        first = number * length
        sound = np.zeros(length, np.int16)
        begins = None
        while round(self._turn.end * RATE) <= first:
            self._turn = next(self._turns)
        start = round(self._turn.start * RATE)
        if start < first + length:
            spoken = self._samples[self._turn.clip.path]
            part = spoken[max(first - start, 0) : first + length - start]
            offset = max(start - first, 0)
            sound[offset : offset + len(part)] = part
            begins = self._turn if start >= first else None
        return sound, begins


async def speak(config: SpeakerConfig) -> None:
    """Enter, speak and show until told to leave, or until the configured seconds are over."""
    loop = asyncio.get_running_loop()
    leave = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    speech_log = SpeechLog(Path(config.speech_log))
    room = rtc.Room()

    def on_disconnected(reason: object) -> None:
        speech_log.note("disconnected", reason=str(reason))
        leave.set()

    room.on("disconnected", on_disconnected)
    token = keys.load(Path(config.keys)).join_token(config.room, config.identity, config.name)
    await room.connect(f"ws://127.0.0.1:{SIGNAL_PORT}", token, rtc.RoomOptions(auto_subscribe=False))
    tasks = [asyncio.create_task(_send_sound(room, config, speech_log))]
    if config.video:
        tasks.append(asyncio.create_task(_send_picture(room, config, speech_log)))
    told = asyncio.create_task(leave.wait())
    await asyncio.wait([*tasks, told], timeout=config.seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, told):
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    speech_log.note("left", wall=_wall(time.monotonic()))
    await room.disconnect()
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _send_sound(room: rtc.Room, config: SpeakerConfig, speech_log: SpeechLog) -> None:
    source = rtc.AudioSource(RATE, 1, queue_size_ms=1000)
    track = rtc.LocalAudioTrack.create_audio_track("voice", source)
    options = rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_MICROPHONE,
        dtx=False,
        red=False,
        audio_encoding=AudioEncoding(max_bitrate=_VOICE_BITRATE),
    )
    await room.local_participant.publish_track(track, options)
    voice = Voice(config)
    first = True
    for number in itertools.count(int((time.monotonic() - config.beginning) / _BLOCK) + 1):
        # The first block leaves on time, the next ones are then waiting in the queue already.
        due = config.beginning + (number - (0 if first else _AHEAD)) * _BLOCK
        await asyncio.sleep(due - time.monotonic())
        sound, begins = voice.block(number)
        if first:
            speech_log.note("joined", wall=_wall(time.monotonic()))
            first = False
        if begins is not None:
            at = config.beginning + begins.start
            clip = "/".join(begins.clip.path.parts[-2:])
            speech_log.note(
                "spoke",
                clip=clip,
                seconds=begins.clip.seconds,
                start=begins.start,
                wall=_wall(at),
                late=round(time.monotonic() + source.queued_duration - config.beginning - number * _BLOCK, 3),
            )
        await source.capture_frame(rtc.AudioFrame(sound.tobytes(), RATE, 1, len(sound)))


async def _send_picture(room: rtc.Room, config: SpeakerConfig, speech_log: SpeechLog) -> None:
    source = rtc.VideoSource(picture.WIDTH, picture.HEIGHT)
    track = rtc.LocalVideoTrack.create_video_track("camera", source)
    options = rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_CAMERA,
        simulcast=False,  # one layer, one encoder: three would cost the cores that the bot needs
        video_codec=rtc.VideoCodec.VP8,
        video_encoding=rtc.VideoEncoding(max_bitrate=_PICTURE_BITRATE, max_framerate=FRAME_RATE),
    )
    await room.local_participant.publish_track(track, options)
    painter = picture.Picture(config.name)
    speech_log.note("camera", frame_rate=FRAME_RATE)
    counter = int((time.monotonic() - config.beginning) * FRAME_RATE) + 1
    while True:
        await asyncio.sleep(config.beginning + counter / FRAME_RATE - time.monotonic())
        clock = datetime.now(UTC).strftime("%H:%M:%S")
        content = painter.frame(counter, clock)
        source.capture_frame(
            rtc.VideoFrame(picture.WIDTH, picture.HEIGHT, rtc.VideoBufferType.I420, content),
        )
        following = max(counter + 1, int((time.monotonic() - config.beginning) * FRAME_RATE))
        if following > counter + 1:
            speech_log.note("frames_missed", first=counter + 1, count=following - counter - 1)
        counter = following


def _load(path: Path) -> Samples:
    with wave.open(str(path)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), np.int16)


def _wall(monotonic: float) -> str:
    return datetime.fromtimestamp(time.time() - time.monotonic() + monotonic, UTC).isoformat()


if __name__ == "__main__":
    priority.prefer_session(os.getpid())
    asyncio.run(speak(SpeakerConfig(**json.loads(sys.argv[1]))))
