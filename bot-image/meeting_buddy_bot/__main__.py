"""Entry point of the `bot` container (``meeting-buddy-bot``): the supervisor with a browser to attend in.

What happens if this process dies here? It is PID 1 of its container: see :mod:`meeting_buddy_bot.supervisor`.
"""

import asyncio
import sys

from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.ending import Ending
from meeting_buddy_bot.recording.plan import screen_size
from meeting_buddy_bot.session import attend
from meeting_buddy_bot.settings import Settings
from meeting_buddy_bot.stage import Stage
from meeting_buddy_bot.supervisor import Supervisor


async def attend_in_browser(stage: Stage) -> Ending:
    """The session, in the browser of the pod's other container."""
    order = stage.assignment
    return await attend(stage, Browser(screen_size(order.recording), order.table.devices, stage.settings.chromedriver))


def main() -> None:
    """Run the bot; the process's exit code is 0 when its outcome was told, whatever that is."""
    sys.exit(asyncio.run(Supervisor(Settings.from_environment(), attend_in_browser).run()))


if __name__ == "__main__":
    main()
