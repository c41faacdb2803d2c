"""A frame counter that a machine reads off a recorded picture, wherever and however large it appears there.

A white panel with two finder patterns (as on a QR code: dark and light in the ratio 1:1:3:1:1) above two rows of
black and white cells: sixteen bits of the counter, most significant first, and four of parity.  The finders give place
and scale; everything is large enough to survive VP8, scaling to a third, and cropping to a square.

`draw` and `read` are here together because they share the geometry. All lengths are in modules; one module is
`MODULE` pixels of a 360-line picture. Pictures are luma planes: `uint8` arrays of shape (height, width).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]

COUNTER_BITS = 16
PARITY_BITS = 4
MODULO = 1 << COUNTER_BITS
MODULE = 8  # pixels in a picture of 360 lines

_FINDER = 7  # modules, outer edge
_CELL = 4  # modules
_COLUMNS, _ROWS = 10, 2
_MARGIN = 2  # modules of white around everything
_GAP = 2  # modules between finders and cells
_WIDTH = _COLUMNS * _CELL  # 40
PANEL = (_WIDTH + 2 * _MARGIN, _FINDER + _GAP + _ROWS * _CELL + 2 * _MARGIN)  # modules: 44 x 21
_FINDER_DISTANCE = _WIDTH - _FINDER  # modules between the centres of the finders
BLACK, WHITE = 20, 235  # within the limited range of video luma
_CONTRAST = 60  # the least difference of black and white that can be read


@dataclass(frozen=True, slots=True)
class Place:
    """Where the panel is: the centre of the left finder in pixels, and the pixels of a module."""

    x: float
    y: float
    module: float


def parity(counter: int) -> int:
    """Four bits: the exclusive or of the counter's nibbles and a constant, so that all-black is not valid."""
    return (counter ^ counter >> 4 ^ counter >> 8 ^ counter >> 12 ^ 0b1001) & 0xF


def draw(picture: Luma, counter: int, *, left: int, top: int, module: int = MODULE) -> None:
    """Paint the panel into `picture` with its corner at (left, top); `counter` counts modulo `MODULO`."""
    width, height = PANEL
    panel = np.full((height, width), WHITE, np.uint8)
    for column in (_MARGIN, _MARGIN + _WIDTH - _FINDER):
        panel[_MARGIN : _MARGIN + _FINDER, column : column + _FINDER] = BLACK
        panel[_MARGIN + 1 : _MARGIN + 6, column + 1 : column + 6] = WHITE
        panel[_MARGIN + 2 : _MARGIN + 5, column + 2 : column + 5] = BLACK
    value = (counter % MODULO) << PARITY_BITS | parity(counter % MODULO)
    for index in range(_COLUMNS * _ROWS):
        row, column = divmod(index, _COLUMNS)
        y, x = _MARGIN + _FINDER + _GAP + row * _CELL, _MARGIN + column * _CELL
        bit = value >> (_COLUMNS * _ROWS - 1 - index) & 1
        panel[y : y + _CELL, x : x + _CELL] = WHITE if bit else BLACK
    picture[top : top + height * module, left : left + width * module] = np.kron(
        panel, np.ones((module, module), np.uint8)
    )


def read(picture: Luma, place: Place) -> int | None:
    """The counter shown at `place`; None when no panel is there or a cell is unclear."""
    black, white = _levels(picture, place)
    if white - black < _CONTRAST:
        return None
    middle = (black + white) / 2
    value = 0
    for index in range(_COLUMNS * _ROWS):
        row, column = divmod(index, _COLUMNS)
        level = _mean(
            picture,
            place.x + (column * _CELL + _CELL / 2 - _FINDER / 2) * place.module,
            place.y + (_FINDER / 2 + _GAP + row * _CELL + _CELL / 2) * place.module,
            _CELL / 2 * place.module,
        )
        if abs(level - middle) < 0.15 * (white - black):
            return None
        value = value << 1 | int(level > middle)
    counter, check = value >> PARITY_BITS, value & 0xF
    return counter if parity(counter) == check else None


def find(picture: Luma) -> Place | None:
    """Search the whole picture for a panel whose counter can be read."""
    finders = _finders(picture)
    for first in finders:
        for second in finders:
            level = abs(first.y - second.y) < first.module
            alike = abs(first.module - second.module) < 0.35 * first.module
            if second.x <= first.x or not level or not alike:
                continue
            module = (second.x - first.x) / _FINDER_DISTANCE
            place = Place(first.x, (first.y + second.y) / 2, module)
            if abs(module - first.module) < 0.35 * first.module and read(picture, place) is not None:
                return place
    return None


def _levels(picture: Luma, place: Place) -> tuple[float, float]:
    """Black and white as both finders show them; (0, 0) unless each has a dark heart in a light ring."""
    hearts, rings = [], []
    for x in (place.x, place.x + _FINDER_DISTANCE * place.module):
        hearts.append(_mean(picture, x, place.y, 2 * place.module))
        rings += [_mean(picture, x + sign * 2 * place.module, place.y, 0.5 * place.module) for sign in (-1, 1)]
    black, white = max(hearts), min(rings)
    return (black, white) if black < white else (0.0, 0.0)


def _mean(picture: Luma, x: float, y: float, size: float) -> float:
    """The mean of a square of `size` pixels around (x, y); 128, neither black nor white, outside the picture."""
    half = max(size / 2, 0.5)
    left, right, top, bottom = round(x - half), round(x + half), round(y - half), round(y + half)
    if left < 0 or top < 0 or right > picture.shape[1] or bottom > picture.shape[0]:
        return 128.0
    part = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    return float(part.mean()) if part.size else 128.0


def _finders(picture: Luma) -> list[Place]:
    """Centres of 1:1:3:1:1 patterns that hold across and down, one per pattern."""
    dark = picture < 128
    found: list[list[Place]] = []
    for y in range(0, picture.shape[0], 2):
        for x, module in _patterns(dark[y]):
            centre, upright = _crossing(dark[:, round(x)], y, module)
            if not upright:
                continue
            place = Place(x, centre, module)
            for group in found:
                if abs(group[0].x - x) < 2 * module and abs(group[0].y - centre) < 2 * module:
                    group.append(place)
                    break
            else:
                found.append([place])
    return [
        Place(*(float(np.median([getattr(one, name) for one in group])) for name in ("x", "y", "module")))
        for group in found
        if len(group) >= 2
    ]


def _patterns(line: npt.NDArray[np.bool_]) -> list[tuple[float, float]]:
    """(centre, module) of every dark-light-dark-light-dark run of 1:1:3:1:1 in one line of pixels."""
    edges = np.flatnonzero(line[1:] != line[:-1]) + 1
    if len(edges) < 6:
        return []
    runs = np.lib.stride_tricks.sliding_window_view(np.diff(edges), 5)
    starts = edges[:-5]
    modules = runs.sum(axis=1) / 7
    ratio = np.array([1, 1, 3, 1, 1])
    close = np.abs(runs / modules[:, None] - ratio) < np.array([0.6, 0.6, 1.0, 0.6, 0.6])
    good = close.all(axis=1) & line[starts] & (modules >= 1.5)
    return [(float(starts[i] + runs[i, :2].sum() + runs[i, 2] / 2), float(modules[i])) for i in np.flatnonzero(good)]


def _crossing(column: npt.NDArray[np.bool_], y: int, module: float) -> tuple[float, bool]:
    """The pattern's centre along the column through (.., y), and whether there is one of the same size."""
    for centre, other in _patterns(column):
        if abs(centre - y) < 1.7 * module and abs(other - module) < 0.4 * module:
            return centre, True
    return 0.0, False
