"""Whether the bot sees and hears its meeting, as ``/healthz`` answers: from the last look's age, not from a flag."""

from typing import Final

from meeting_buddy.contract.report import Reception
from meeting_buddy_bot.support.clock import SessionClock

LOOK_SECONDS: Final = 20.0
"""Without an answer of the page for so long, nobody knows what the browser shows; a hung page is given up at 15 s."""


class Health:
    """What was last seen and heard, and when."""

    def __init__(self, clock: SessionClock) -> None:
        self._clock = clock
        self._looked_at: float | None = None
        self._received: tuple[Reception, Reception] = (Reception(), Reception())

    def looked(self) -> None:
        """The page answered."""
        self._looked_at = self._clock.now()

    def received(self, audio: Reception, video: Reception) -> None:
        """Whether sound and pictures arrive."""
        self._received = (audio, video)

    def out_of_call(self) -> None:
        """What arrived before says nothing any more."""
        self._received = (Reception(), Reception())

    def problem(self) -> str | None:
        """What is wrong, in a sentence without anything of the page's; ``None``: nothing is."""
        if self._looked_at is None:
            return "the page was not read yet"
        age = self._clock.now() - self._looked_at
        if age > LOOK_SECONDS:
            return f"the page was last read {age:.0f} s ago"
        for kind, each in zip(("sound", "picture"), self._received, strict=True):
            if each.received is False:
                return f"the meeting's {kind} does not arrive: {each.reason}"
        return None
