"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

Found = TypeVar("Found")

PATIENCE = 60.0
"""Seconds for what takes one or two on an idle machine; it ends a wait that would never end, and judges nothing."""
_PAUSE = 0.02  # seconds between two looks, at the least
_COSTLY = 20.0  # times what the last look took, at the most
_PATIENT = 0.2  # of the time that was waited until then, at the most
_LONGEST_PAUSE = 0.5


async def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Return once this holds; a costly look is taken less often, as by `wait_until`. Raises `TimeoutError`."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while True:
            looked = time.monotonic()
            if holds():
                return
            await asyncio.sleep(_pause(began, looked))


async def all_of(parts: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    """Run parts of a test at the same time; what fails is told with its name.

    For what has nothing to do with one another, mostly waits, and never keeps the event loop waiting: a bot in it would
    take a page for one that hangs.
    """

    async def run(name: str, part: Coroutine[Any, Any, None]) -> None:
        try:
            await part
        except Exception as error:
            error.add_note(f"in {name}")
            raise

    async with asyncio.TaskGroup() as group:
        for name, part in parts.items():
            group.create_task(run(name, part))


def wait_until(look: Callable[[], Found | None], what: str, seconds: float = PATIENCE) -> Found:
    """What `look` finds, as soon as it finds something; for tests that wait for another process.

    A costly look, such as one by kubectl, is taken less often the longer nothing was found: those who wait must not
    keep the processors from what they wait for.

    Raises `AssertionError`, which says `what` was awaited.
    """
    began = time.monotonic()
    while True:
        looked = time.monotonic()
        if found := look():
            return found
        left = began + seconds - time.monotonic()
        if left <= 0:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(min(_pause(began, looked), left))


def _pause(began: float, looked: float) -> float:
    """Seconds until the next look, after one that was begun at ``looked``; when the wait began, both monotonic."""
    now = time.monotonic()
    return max(min(_COSTLY * (now - looked), _PATIENT * (now - began), _LONGEST_PAUSE), _PAUSE)
