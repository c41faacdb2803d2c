"""The bot as the pod starts it, ``meeting-buddy-bot``, loaded whole before its user changes."""

import sys

from meeting_buddy_bot import __main__ as program
from meeting_buddy_bot.browser import browser
from meeting_buddy_bot.runtime import supervisor
from meeting_buddy_bot.session import meeting_run

LOADED = (browser, supervisor, meeting_run)


def main() -> None:
    """Run it."""
    del sys.argv[1:]
    program.main()
