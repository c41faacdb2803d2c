"""A sound device that dies while Chromium plays: it never connects to the next one, so that a new browser has to."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, aclosing
from pathlib import Path

from meeting_buddy_bot.devices.sound import Sound
from meeting_buddy_bot.devices.supervision import supervise
from meeting_buddy_bot.recording.audio_source import PulseAudioSource
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from tests.bot.attending import Attending
from tests.bot.container import BrowserContainer, readable_folder
from tests.support.synthetic_pages import SyntheticSite
from tests.support.synthetic_table import join_page, synthetic_table

ROOM = "/rooms/weekly-sync-7431"
_TONE = "const context = new AudioContext(), tone = context.createOscillator(); tone.connect(context.destination);"
_SECONDS = 60.0
_LOUD = 3000
"""Of 32768."""


async def _heard(sound: Sound) -> None:
    """Return once something loud is heard, through as many readers as it takes."""
    async with asyncio.timeout(_SECONDS):
        while True:
            await sound.wait_answering()
            async with aclosing(PulseAudioSource(sound.server, sound.monitor, SessionClock()).frames()) as frames:
                async for frame in frames:
                    if frame.peak > _LOUD:
                        return


async def _nothing_to_interrupt(_cause: str) -> None:
    """No recorder listens to the device here."""


async def test_a_browser_whose_sound_device_ended_is_replaced_and_heard_again(
    make_container: Callable[..., AbstractContextManager[BrowserContainer]], site: SyntheticSite, tmp_path: Path
) -> None:
    site.pages[ROOM] = join_page(f"enter(); {_TONE} tone.start();")
    events = EventLog(tmp_path / "devices.jsonl", SessionClock())
    with readable_folder() as folder:
        async with Sound(folder) as sound, asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(supervise(sound, SessionClock(), events, lost=_nothing_to_interrupt))
            with make_container(sound=sound.server) as container:
                async with Attending(container.url, tmp_path, site.url(ROOM), synthetic_table(), sound=sound) as bot:
                    await bot.until_recording()
                    await _heard(sound)
                    assert sound.pid is not None
                    os.kill(sound.pid, signal.SIGKILL)
                    async with asyncio.timeout(_SECONDS):
                        while not await bot.events("rejoined"):  # noqa: ASYNC110 -- a file says so
                            await asyncio.sleep(0.1)
                    await _heard(sound)
                    assert [each["cause"] for each in await bot.events("browser_died")] == [
                        "the sound device that it played to has ended"
                    ]
                    assert [cause for _, _, cause in bot.recorder.gaps] == ["browser died"]
                    assert bot.report.browser.restarts == 1
            keeping.cancel()
    await events.close()
