"""Waiting for one of two things, and working beside something."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager


async def done_before(event: asyncio.Event, what: Awaitable[None]) -> bool:
    """Wait for something, at most until the event; whether it came."""
    wanted, other = asyncio.ensure_future(what), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({wanted, other}, return_when=asyncio.FIRST_COMPLETED)
        if wanted.done():
            wanted.result()
        return wanted.done()
    finally:
        wanted.cancel()
        other.cancel()


@asynccontextmanager
async def beside(*helpers: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run helpers as long as the body runs; one that fails ends both, and its error is the body's."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(helper) for helper in helpers]
            yield
            for task in tasks:
                task.cancel()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
