"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

Found = TypeVar("Found")

_PAUSE = 0.02  # seconds between two looks


async def until(holds: Callable[[], Any], seconds: float = 30.0) -> None:
    """Return once this holds. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 -- what is looked at is a plain record, as the product has it
            await asyncio.sleep(_PAUSE)


def wait_until(look: Callable[[], Found | None], what: str, seconds: float = 20.0) -> Found:
    """What `look` finds, as soon as it finds something; for tests that wait for another process.

    Raises `AssertionError`, which says `what` was awaited.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(_PAUSE)
    raise AssertionError(f"not within {seconds:g} s: {what}")
