"""Blocking calls in daemon threads: one that never returns stops neither the event loop nor the end of the process.

asyncio's own executor joins its threads when the loop closes; a thread that waits for a file system or a browser that
does not answer would keep a bot alive that has already said how it ended.
"""

import asyncio
import contextlib
import errno
import os
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def call_in_thread(name: str, call: Callable[[], T]) -> asyncio.Future[T]:
    """Run ``call`` in a thread of its own; the future has its result, or what it raised.

    Wait for the future with :func:`asyncio.wait`, which leaves it alone when the time is over: it then still says when
    the thread has come back.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(value: T | None, error: BaseException | None) -> None:
        if future.done():  # its waiter was cancelled, and it with them
            return
        if error is None:
            future.set_result(value)  # type: ignore[arg-type]  # without an error there is a value
        else:
            future.set_exception(error)
            future.exception()  # seen: nobody may be waiting any more

    def work() -> None:
        value, error = None, None
        try:
            value = call()
        except BaseException as caught:  # carried over to the caller, whatever it is
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(finish, value, error)

    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError:  # the container may start no more: as any call that is refused
        finish(None, OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)))
    return future
