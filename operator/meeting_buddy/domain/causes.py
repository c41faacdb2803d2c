"""What a table of causes is made of: the cluster's own words, the reason that they stand for, and what helps.

The tables stand where they are used: :mod:`startup` (a pod that does not start), :mod:`pod_outcome` (a pod that died)
and :mod:`create_rejection` (a pod that the API server did not take). In each the first row that matches counts, so that
a row with a narrow pattern stands above one that takes what is left.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why an attempt ended, what helps, and the bot's last report if it left one."""

    reason: Reason
    message: str | None = None
    """The cause, in the words of whoever knows it."""
    report: Report | None = None
    remedy: str | None = None
    """What the user does next; ``None``: the reason's own advice says it best; empty: the message says it."""


class Cause(NamedTuple):
    """One row of a table."""

    words: Collection[str]
    """Reasons under which the cluster says it, such as ``ImagePullBackOff``; empty: under any."""
    pattern: str
    """What its message holds, as a regular expression, whatever the case; empty: anything."""
    reason: Reason
    remedy: str | None = None

    def matches(self, word: str, text: str) -> bool:
        return (not self.words or word in self.words) and re.search(self.pattern, text, re.IGNORECASE) is not None


def find(rows: Iterable[Cause], word: str, text: str) -> Cause | None:
    """The first row that matches."""
    return next((row for row in rows if row.matches(word, text)), None)


def sentence(message: str) -> str:
    """First line, at most 400 characters: a kubelet's message may be longer than a status should be."""
    return message.strip().split("\n", 1)[0][:400]
