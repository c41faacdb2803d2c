"""The real bot with its page replaced: real supervisor, devices, recorder, report server; a scripted session.

It reads the same script as the contract-only bot (see its docstring), so that
one suite can judge both, and so that supervisor and recorder can be tested where no meeting is needed.
"""

import asyncio
import sys

from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import BrowserReport, PeopleReport
from meeting_buddy_bot.ending import Ending
from meeting_buddy_bot.settings import Settings
from meeting_buddy_bot.stage import Stage
from meeting_buddy_bot.supervisor import Supervisor


async def attend(stage: Stage) -> Ending:
    """Play the script of the session's metadata."""
    stage.state.update(waiting=Waiting.CONNECTING, browser=BrowserReport(alive=True))
    reason = await _play(stage)
    stage.state.update(phase=ReportPhase.LEAVING)
    await asyncio.sleep(float(stage.assignment.metadata.get("leaving", "0s").removesuffix("s")))
    await stage.recorder.stop()
    return Ending(reason)


async def _play(stage: Stage) -> Reason:
    for step in stage.assignment.metadata.get("script", "join; record").split(";"):
        verb, _, rest = step.strip().partition(" ")
        match verb:
            case "end":
                return Reason(rest)
            case "raise":
                raise RuntimeError(rest)
            case "hang":
                await asyncio.Event().wait()
            case "people":
                names = tuple(name.strip() for name in rest.split(","))
                stage.state.update(people=PeopleReport(current=names, seen=len(names)))
                continue
            case "lobby":
                stage.state.update(waiting=Waiting.WAITING_ROOM)
            case "record":
                await stage.recorder.start()
                stage.state.update(phase=ReportPhase.RECORDING)
        asked = asyncio.create_task(stage.leave.wait())
        await asyncio.wait({asked}, timeout=float(rest.removesuffix("s") or 0))
        if asked.done():
            return asked.result()
        asked.cancel()
        if verb == "join":
            now = stage.clock.utc()
            stage.state.update(phase=ReportPhase.ACTIVE, waiting=None, joined_at=now, ever_joined=True)
    return await stage.leave.wait()


def main() -> None:
    """Run the bot."""
    sys.exit(asyncio.run(Supervisor(Settings.from_environment(), attend).run()))
