"""Work beside a block: begun with it, ended with it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from meeting_buddy.controller.failures import origin

_log = logging.getLogger(__name__)


@asynccontextmanager
async def beside(work: Callable[[], Coroutine[Any, Any, None]], name: str) -> AsyncIterator[None]:
    """Run ``work`` while the block runs; when it fails the log says so, and the block goes on without it."""
    task = asyncio.create_task(_logged(work, name), name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _logged(work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    try:
        await work()
    except Exception as error:
        facts = {"work": name, "error": type(error).__name__, "frames": origin(error)}
        _log.error("work in the background ended with an error", extra=facts)
