"""A bot that really records, and what it is given to see and hear, for the tests of devices, recorder and supervisor.

The page is replaced (:mod:`tests.conformance.stand_in`); display, sound, ffmpeg, supervisor, files are the product's.
What is "in the meeting" is drawn on its display by ffplay and played into its sink by paplay, as Chromium would.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.report import Report
from meeting_buddy_bot.recording.manifest import Finished, GapLine, Segment, read
from tests.conformance.running_bot import RunningBot, make_assignment, reachable_folder, stop_all
from tests.conformance.unprivileged import GID, UID
from tests.local.clone import SPEECH
from tests.support.awaiting import PATIENCE

JFK = SPEECH / "en" / "jfk.wav"

Start = Callable[..., RunningBot]


def recording(report: Report) -> bool:
    """Whether media is being written."""
    return report.phase is ReportPhase.RECORDING


@contextmanager
def bots() -> Iterator[Start]:
    """Start bots: ``start("join; record", recording=RecordingConfig(video="none"))``; all are ended with the block.

    ``recordings``: the folder of another one, which has ended; otherwise each has a folder of its own.
    """
    running: list[RunningBot] = []
    with reachable_folder() as root:

        def start(
            script: str = "join; record",
            environment: Mapping[str, str] | None = None,
            *,
            recordings: Path | None = None,
            unprivileged: bool = True,
            **changes: object,
        ) -> RunningBot:
            folder = root / f"bot{len(running)}"
            folder.mkdir()
            if recordings is not None:
                environment = {**(environment or {}), "MEETING_BUDDY_RECORDINGS": str(recordings)}
            given = make_assignment(metadata={"script": script}, **changes)
            running.append(
                RunningBot(
                    "tests.conformance.stand_in", folder, given, environment=environment, unprivileged=unprivileged
                )
            )
            running[-1].recordings = recordings or running[-1].recordings
            return running[-1]

        try:
            yield start
        finally:
            stop_all(running)


@contextmanager
def copied(recordings: Path) -> Iterator[Path]:
    """A copy of a bot's folder for another bot, with the files' times."""
    with reachable_folder() as root:
        copy = root / "recordings"
        shutil.copytree(recordings, copy)
        for path in (copy, *copy.rglob("*")):
            os.chown(path, UID, GID)
        yield copy


@contextmanager
def program(argv: Sequence[str], bot: RunningBot) -> Iterator[subprocess.Popen[bytes]]:
    """A client of the bot's display and sound."""
    devices = {"DISPLAY": bot.display, "PULSE_SERVER": bot.pulse_server, "SDL_AUDIODRIVER": "dummy"}
    process = subprocess.Popen(
        argv,
        env={**os.environ, **devices},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def moving_picture(bot: RunningBot) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A test picture that changes with each frame."""
    return program(["ffplay", "-loglevel", "error", "-an", "-f", "lavfi", "-i", "testsrc=size=1280x720:rate=15"], bot)


def speaker(bot: RunningBot, file: Path = JFK) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A person who speaks."""
    return program(["paplay", str(file)], bot)


def tone(bot: RunningBot) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Sound without a break."""
    return program(
        ["ffmpeg", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "sine=440:r=48000", "-f", "pulse", "tone"], bot
    )


class Books:
    """What a bot's manifest and events say."""

    def __init__(self, bot: RunningBot) -> None:
        self.folder = bot.recordings
        lines = list(read(bot.recordings / "manifest.jsonl"))
        self.segments = [line for line in lines if isinstance(line, Segment)]
        self.gaps = [line for line in lines if isinstance(line, GapLine)]
        self.finished = [line for line in lines if isinstance(line, Finished)]

    @property
    def events(self) -> list[dict[str, object]]:
        """Lines of ``events.jsonl``."""
        return [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]

    def event(self, name: str) -> dict[str, object]:
        """The first event of a name; fails when there is none."""
        found = [event for event in self.events if event["event"] == name]
        assert found, f"no event {name} in {[event['event'] for event in self.events]}"
        return found[0]

    def has_event(self, name: str) -> bool:
        """Whether an event of a name was written."""
        return any(event["event"] == name for event in self.events)


async def child(bot: RunningBot, name: str, *, other_than: int | None = None, seconds: float = PATIENCE) -> int:
    """Process id of the bot's child of that name, awaited; another one than ``other_than``."""
    async with asyncio.timeout(seconds):
        while True:
            pid = bot.children().get(name)
            if pid is not None and pid != other_than:
                return pid
            await asyncio.sleep(0.05)


def files(folder: Path) -> list[Path]:
    """The segments of a recording, the newest last."""
    return sorted((folder / "segments").iterdir())


def one_is_open(folder: Path, report: Report) -> bool:
    """Whether all but the newest segment are in the books, and a cluster of that one is whole."""
    *closed, newest = files(folder)
    return report.recording.segments == len(closed) and newest.stat().st_size > 8000


async def leave_and_end(bot: RunningBot, seconds: float = 2 * PATIENCE) -> Books:
    """Ask it to leave, wait for its end, open its books."""
    await bot.leave()
    assert await bot.ended(seconds) == 0, bot.log
    return Books(bot)


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal."""
    os.kill(pid, number)
