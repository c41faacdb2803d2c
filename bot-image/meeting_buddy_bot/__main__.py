"""Entry point of the `bot` container (``meeting-buddy-bot``): the supervisor with a browser to attend in.

With arguments it is something else instead (``tools/cli.py``): a tool for platform tables, the recordings reader, or
the finisher. It imports nothing at its top that only one of them needs.
"""

import asyncio
import sys


def main() -> None:
    """Run the bot; the process's exit code is 0 when its outcome was written, whatever that is."""
    if len(sys.argv) > 1:
        from meeting_buddy_bot.tools import cli

        sys.exit(cli.main(sys.argv[1:]))
    sys.exit(_run_bot())


def _run_bot() -> int:
    from meeting_buddy_bot.browser.browser import Browser
    from meeting_buddy_bot.recording.plan import screen_size
    from meeting_buddy_bot.runtime.supervisor import Supervisor
    from meeting_buddy_bot.session.context import SessionContext
    from meeting_buddy_bot.session.meeting_run import attend
    from meeting_buddy_bot.session.result import SessionResult
    from meeting_buddy_bot.support.settings import Settings

    async def attend_in_browser(context: SessionContext) -> SessionResult:
        """The session, in the browser of the pod's other container."""
        assignment = context.assignment
        return await attend(context, Browser(screen_size(assignment.recording), context.settings.chromedriver))

    return asyncio.run(Supervisor(Settings.from_environment(), attend_in_browser).run())


if __name__ == "__main__":
    main()
