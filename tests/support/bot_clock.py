"""Clocks of the bot that move when they are told to."""

from meeting_buddy_bot.support.clock import SessionClock


class FakeClock:
    """For checks, which only ask for the time."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def later(self, seconds: float) -> None:
        self.time += seconds


class StandingClock(SessionClock):
    """A session clock that stands still until it is set."""

    __slots__ = ("time",)

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def now(self) -> float:
        return self.time
