"""Where every request to stop arrives: ``POST /v1/leave``, SIGTERM, the session's deadline, a full volume.

If this process dies: a request that was not acted on is gone with it. The operator asks again with each reconcile until
the pod has ended, so nothing needs to be stored.
"""

import asyncio

from meeting_buddy.contract.reasons import Reason


class LeaveSignal:
    """Set once; the first reason wins, because it is the one the bot acts on."""

    __slots__ = ("_asked", "_message", "_reason")

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._reason: Reason | None = None
        self._message: str | None = None

    def request(self, reason: Reason, message: str | None = None) -> None:
        """Ask the bot to leave; without effect when it was asked before."""
        if self._reason is None:
            self._reason, self._message = reason, message
            self._asked.set()

    @property
    def requested(self) -> bool:
        """Whether anybody asked."""
        return self._reason is not None

    @property
    def reason(self) -> Reason | None:
        """Why the bot is to leave."""
        return self._reason

    @property
    def message(self) -> str | None:
        """One sentence that goes with the reason, fit for a session's status."""
        return self._message

    async def wait(self) -> Reason:
        """Return the reason as soon as there is one."""
        await self._asked.wait()
        if self._reason is None:  # cannot be: the reason is set before the event
            raise AssertionError("asked to leave without a reason")
        return self._reason
