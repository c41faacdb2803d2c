"""A write of a session's status whose answer was lost: what it did is told once it is found to have arrived."""

from collections.abc import Mapping
from typing import NamedTuple

from meeting_buddy.domain.facts import Facts, SessionFacts
from meeting_buddy.domain.plan import EmitEvent
from meeting_buddy.domain.status import merge_patch


class Unanswered(NamedTuple):
    """The write, and what was to follow it."""

    facts: Facts
    """Of which it was decided."""
    patch: Mapping[str, object]
    events: tuple[EmitEvent, ...]

    def was_decided_of(self, session: SessionFacts) -> bool:
        """Whether nothing newer is known of the session than when it was written."""
        before = self.facts.session
        return before is not None and before.resource_version == session.resource_version

    def arrived(self, session: SessionFacts) -> bool:
        """Whether a newer session shows it: the same fields, but for the times of a write that was repeated."""
        if self.facts.session is None:
            return False
        found = merge_patch(self.facts.session.status, session.status)
        told = ("phase", "reason", "attempt")
        return found.keys() == self.patch.keys() and all(found.get(each) == self.patch.get(each) for each in told)
