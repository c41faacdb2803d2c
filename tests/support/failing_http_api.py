"""``python -m tests.support.failing_http_api …``: the HTTP API's process with one fault of its own.

Reading a session fails with the worst words possible: the caller's token. A task that nobody looks at fails so, too.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from meeting_buddy.http_api.__main__ import main
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.service import Sessions


async def get(_: Sessions, caller: Caller, *__: Any) -> Any:
    """Fail, and leave a task behind that fails."""
    _left = asyncio.create_task(_failing(caller.token))  # noqa: RUF006 -- that nobody holds it is the fault
    await asyncio.sleep(0)
    raise RuntimeError(f"it went wrong with {caller.token}")


async def _failing(words: str) -> None:
    raise RuntimeError(f"it went wrong with {words}")


if __name__ == "__main__":
    Sessions.get = get  # type: ignore[assignment,method-assign]
    sys.exit(main())
