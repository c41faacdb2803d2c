"""Names under which other meeting bots are known to join: the one list by which bots are told from people.

A bot shows itself by its name alone. A pattern has to be so distinctive that hardly a person is called that: taking a
person for a bot may end a recording too early, taking a bot for a person merely ends it later.
"""

import re
from typing import Final

_PATTERNS: Final = (
    r"\bnote[ -]?taker\b",  # "Fathom Notetaker", "Ada's Note Taker": what most of them call themselves
    r"\brecorder\b",
    r"\b(meeting|recording) (assistant|bot|buddy)\b",  # the default name of this bot among them
    r"[(\[]bot[)\]]",
    r"\botter(\.ai|pilot)\b|^otter$",
    r"\bfireflies(\.ai)?\b",
    r"\bread\.ai\b|^read ai\b",
    r"\bfathom\.(ai|video)\b",
    r"\b(tl;dv|meetgeek|avoma|sembly|supernormal|tactiq)\b",
)
_KNOWN: Final = re.compile("|".join(_PATTERNS), re.IGNORECASE)


def is_bot(name: str) -> bool:
    """Whether somebody of this name, as the page shows it, is a well-known meeting bot."""
    return _KNOWN.search(name) is not None
