"""The sound device's clock while Chromium plays: a sink that runs fast makes receivers stretch speech to keep up."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise

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


@pytest.mark.real_time
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
    return 1e6 * _slope_above([(at, played - at) for at, played in points])


def _slope_above(points: list[tuple[float, float]]) -> float:
    """Slope of the line above all points that is nearest to them.

    A read can come late, and on a busy machine most do, but none comes early: those with the least delay are on this
    line, and two of them, far enough from each other, say how fast the sink runs.
    """
    hull: list[tuple[float, float]] = []
    for x, y in points:
        while len(hull) > 1 and (hull[-1][0] - hull[-2][0]) * (y - hull[-2][1]) >= (hull[-1][1] - hull[-2][1]) * (
            x - hull[-2][0]
        ):
            hull.pop()
        hull.append((x, y))
    middle = sum(x for x, _ in points) / len(points)
    (left, low), (right, high) = next(edge for edge in pairwise(hull) if edge[0][0] <= middle <= edge[1][0])
    return (high - low) / (right - left)


def test_the_line_above_late_reads_has_the_slope_of_those_in_time() -> None:
    chance = np.random.default_rng(1)
    for slope in (-100e-6, 0.0, 30e-6):
        late = [(0.02 * step, 0.02 * step * slope - chance.exponential(0.05)) for step in range(650)]
        in_time = [(2.0, 2.0 * slope), (11.0, 11.0 * slope)]
        assert _slope_above(sorted(late + in_time)) == pytest.approx(slope, abs=1e-5)
