"""What is left of the report when the bot has ended: the termination message, and ``session.json`` for people.

If this process dies: ``session.json`` is written aside and renamed, so it is the old one or the new one. Without a
termination message the operator sees a bot that crashed, and looks at the volume.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from meeting_buddy.contract.report import MAX_TERMINATION_BYTES, Report, report_json
from meeting_buddy.contract.text import json_text
from meeting_buddy_bot.support.atomic_file import atomic_write

SESSION_FILE: Final = "session.json"


def write_session(folder: Path, report: Report, facts: Mapping[str, object]) -> None:
    """Write ``session.json``: the whole report, uncut, and ``facts`` beside it (bot name, the user's metadata, …).

    Raises:
        OSError: the volume did not take it.
    """
    document = {**json.loads(report.to_json()), **facts}
    atomic_write(folder / SESSION_FILE, json_text(document, indent=2).encode() + b"\n")


def write_termination_message(path: Path, report: Report) -> None:
    """Write the report, cut to what the kubelet takes.

    The file is a mount of the kubelet's: it is written in place, it cannot be replaced.

    Raises:
        OSError: it cannot be written.
    """
    path.write_bytes(report_json(report, MAX_TERMINATION_BYTES).encode())
