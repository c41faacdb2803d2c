"""``python -m meeting_buddy.app``: the operator's process."""

import logging
import sys

import uvloop

from meeting_buddy.app import settings
from meeting_buddy.app.operate import operate
from meeting_buddy.process import logs


def main() -> int:
    """Entry point; exit status 0 after SIGTERM, 1 after anything else."""
    found = settings.parse(sys.argv[1:])
    logs.configure(found.log_level)
    try:
        uvloop.run(operate(found))
    except (OSError, ValueError) as error:
        logging.getLogger("meeting_buddy").error("cannot start", extra={"error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
