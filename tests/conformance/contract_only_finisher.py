"""The contract-only bot as the finisher that it can be, too."""

import sys

from tests.e2e.contract_bot import bot


def main() -> None:
    """Run it."""
    sys.argv[1:] = ["finish"]
    bot.main()
