"""The sound device's clock while Chromium plays: a sink that runs fast makes receivers stretch speech to keep up."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import pytest

from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.devices.sound import Sound
from meeting_buddy_bot.runtime.processes import Child
from tests.bot.container import SCREEN, BrowserContainer, readable_folder
from tests.support.synthetic_pages import SyntheticSite

_BYTES_PER_SECOND = 48_000 * 4
_SECONDS = 16.0
_SETTLED = 3.0

TONE = """<script>
  const context = new AudioContext(), tone = context.createOscillator();
  tone.connect(context.destination); tone.start();
</script>"""


@pytest.mark.alone
async def test_the_sinks_clock_is_true_while_chromium_plays(
    make_container: Callable[..., AbstractContextManager[BrowserContainer]], site: SyntheticSite
) -> None:
    site.pages["/tone"] = TONE
    with readable_folder() as folder:
        async with Sound(folder) as sound:
            with make_container(sound=sound.server) as container:
                browser = Browser(SCREEN, container.url)
                await browser.start()
                await browser.page.navigate(site.url("/tone"), 60)
                error = await _rate_error(sound)
                await browser.close()
    print(f"the sink's clock is {error:+.1f} ppm off")
    assert abs(error) < 40  # 95 to 132 with Chromium's own rate and buffer


async def _rate_error(sound: Sound) -> float:
    """How fast the sink runs against the machine's clock, in millionths, while it is listened to as a recorder does."""
    # fmt: off
    child = await Child.start("parec", [
        "parec", "--server", sound.server, "--device", sound.monitor, "--raw", "--format=s16le", "--rate=48000",
        "--channels=2", "--latency-msec=20",
    ], read_output=True)
    # fmt: on
    heard, points, loud = 0, [], False
    began = time.monotonic()
    try:
        assert child.process.stdout is not None
        while (now := time.monotonic() - began) < _SECONDS:
            data = await child.process.stdout.read(65_536)
            assert data, child.stderr_tail
            heard += len(data)
            loud = loud or any(data)
            if now > _SETTLED:
                points.append((time.monotonic() - began, heard / _BYTES_PER_SECOND))
    finally:
        await child.kill()
    assert loud, "nothing was played"
    # Of each second only the read that came with the least delay: what a busy machine adds says nothing of the sink.
    at, played = np.array(points).T
    ahead = [(second, (played - at)[at.astype(int) == second].max()) for second in sorted(set(at.astype(int)))]
    seconds, leads = np.array(ahead).T
    return float(np.polyfit(seconds, leads, 1)[0] * 1e6)
