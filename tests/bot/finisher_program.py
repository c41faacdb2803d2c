"""The finisher as the pod starts it, ``meeting-buddy-bot finish``, loaded whole before its user changes."""

import sys

from meeting_buddy_bot import __main__ as program
from meeting_buddy_bot.finishing import finisher
from meeting_buddy_bot.tools import cli

LOADED = (finisher, cli)


def main() -> None:
    """Run it."""
    sys.argv[1:] = ["finish"]
    program.main()
