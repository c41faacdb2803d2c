"""The real bot with its page replaced: real supervisor, devices, recorder, report server; a scripted session.

It reads the same script as the contract-only bot (see its docstring), so that
one suite can judge both, and so that supervisor and recorder can be tested where no meeting is needed.
"""

import asyncio
import sys

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.platforms.people import People
from meeting_buddy_bot.platforms.probe import PageSnapshot, Person
from meeting_buddy_bot.runtime.supervisor import Supervisor
from meeting_buddy_bot.session.context import SessionContext
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support.settings import Settings


async def attend(context: SessionContext) -> SessionResult:
    """Play the script of the session's metadata."""
    context.reporter.looked()
    context.reporter.waiting(Waiting.CONNECTING)
    people = People(context.assignment.bot_name)
    reason = await _play(context, people)
    changes = people.close()
    context.reporter.people(people.report, people.names, changes)
    context.reporter.leaving()
    await asyncio.sleep(float(context.assignment.metadata.get("leaving", "0s").removesuffix("s")))
    await context.recorder.stop()
    return SessionResult(reason)


async def _play(context: SessionContext, people: People) -> Reason:
    for step in context.assignment.metadata.get("script", "join; record").split(";"):
        verb, _, rest = step.strip().partition(" ")
        match verb:
            case "end":
                return Reason(rest)
            case "raise":
                raise RuntimeError(rest)
            case "hang":
                await asyncio.Event().wait()
            case "people":
                tiles = tuple(Person(name.strip(), own=False, speaking=False) for name in rest.split(","))
                changes = people.take(PageSnapshot(frozenset(), people=tiles), context.clock.utc())
                context.reporter.people(people.report, people.names, changes)
                continue
            case "lobby":
                context.reporter.waiting(Waiting.WAITING_ROOM)
            case "record":
                context.recorder.start()
        asked = asyncio.create_task(context.leave.wait())
        await asyncio.wait({asked}, timeout=float(rest.removesuffix("s") or 0))
        if asked.done():
            return asked.result()
        asked.cancel()
        if verb == "join":
            context.reporter.admitted(context.clock.utc(), "mixed")
    return await context.leave.wait()


def main() -> None:
    """Run the bot."""
    sys.exit(asyncio.run(Supervisor(Settings.from_environment(), attend).run()))
