"""The picture of the one person with a camera: a frame counter for machines, name, clock and motion for people.

The panel of `tests.local.media.frame_code` stands in the middle, so that a page which crops the picture to a square
keeps it. Frames are I420: full luma, two quarter-size planes of colour. Only what changes is painted anew, because
drawing must not cost the cores that the bot under test needs.
"""

from __future__ import annotations

import numpy as np

from tests.local.media import frame_code
from tests.local.meetings.livekit import bitmap_font

WIDTH, HEIGHT = 640, 360
_PANEL_LEFT = (WIDTH - frame_code.PANEL[0] * frame_code.MODULE) // 2
_PANEL_TOP = (HEIGHT - frame_code.PANEL[1] * frame_code.MODULE) // 2
_TEXT_SCALE = 3  # pixels per dot of a letter
_NAME_TOP = 50
_CLOCK_TOP = 290
_BALL = 16  # pixels across
_BALL_TOP = 330
_BALL_STEP = 12  # pixels per frame


class Picture:
    """Paints the frames of one person."""

    def __init__(self, name: str) -> None:
        down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
        self._luma = (60 + 40 * across / WIDTH + 30 * down / HEIGHT).astype(np.uint8)
        self._plain_band = self._luma[_BALL_TOP : _BALL_TOP + _BALL].copy()
        self._plain_clock = self._luma[_CLOCK_TOP : _CLOCK_TOP + bitmap_font.HEIGHT * _TEXT_SCALE].copy()
        self._clock = ""
        self._colour = np.concatenate(
            (np.full(WIDTH * HEIGHT // 4, 150, np.uint8), np.full(WIDTH * HEIGHT // 4, 110, np.uint8))
        ).tobytes()
        self._write(name, _NAME_TOP)

    def frame(self, counter: int, clock: str) -> bytes:
        """The I420 bytes of the frame that shows `counter`, and `clock` as text for people."""
        frame_code.draw(self._luma, counter, left=_PANEL_LEFT, top=_PANEL_TOP)
        self._luma[_BALL_TOP : _BALL_TOP + _BALL] = self._plain_band
        left = counter * _BALL_STEP % (WIDTH - _BALL)
        self._luma[_BALL_TOP : _BALL_TOP + _BALL, left : left + _BALL] = frame_code.WHITE
        if clock != self._clock:
            self._luma[_CLOCK_TOP : _CLOCK_TOP + len(self._plain_clock)] = self._plain_clock
            self._write(clock, _CLOCK_TOP)
            self._clock = clock
        return bytes(self._luma.tobytes()) + self._colour

    def _write(self, text: str, top: int) -> None:
        dots = np.kron(bitmap_font.dots(text), np.ones((_TEXT_SCALE, _TEXT_SCALE), bool))
        left = (WIDTH - dots.shape[1]) // 2
        self._luma[top : top + dots.shape[0], left : left + dots.shape[1]][dots] = frame_code.WHITE
