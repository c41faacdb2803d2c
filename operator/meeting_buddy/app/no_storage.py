"""kopf's storages that store nothing: only ``on.event`` is registered, which has no state.

kopf's own copy each object twice for each event, and compare it with what they stored before: a fifth of what an event
costs the whole operator.
"""

from typing import Any

import kopf


class NoDiffBase(kopf.DiffBaseStorage):  # type: ignore[misc]  # kopf is read without its types
    """Knows no earlier state, and takes none."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """An object as far as changes of it matter: nothing of it."""
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        """No earlier state."""

    def store(self, **_: Any) -> None:
        """Nothing."""


class NoProgress(kopf.ProgressStorage):  # type: ignore[misc]
    """Knows no handler that is under way."""

    def fetch(self, **_: Any) -> None:
        """None is under way."""

    def store(self, **_: Any) -> None:
        """Nothing."""

    def purge(self, **_: Any) -> None:
        """Nothing."""

    def touch(self, **_: Any) -> None:
        """Nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """As it is: nothing of kopf's is in it."""
        return essence
