"""The bots that the conformance suite judges.

A bot takes part by the name of its module here. What the suite asks of it comes as the session's metadata
(``script``); the real bot in a real browser, which no script can lead, is held to the contract by the e2e tests.
"""

from collections.abc import Callable, Iterator, Mapping

import pytest

from meeting_buddy.contract.assignment import Assignment
from tests.conformance.running_bot import RunningBot, make_assignment, reachable_folder, stop_all

BOTS = {
    "contract-only": "tests.e2e.contract_bot.bot",
    "supervisor": "tests.conformance.stand_in",
}

Start = Callable[..., RunningBot]


@pytest.fixture(params=sorted(BOTS))
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start a bot: ``start("join; record", attempt=2)``, or ``start(assignment=...)`` with another assignment."""
    bots: list[RunningBot] = []
    with reachable_folder() as root:

        def start_bot(
            script: str = "join; record",
            *,
            assignment: Assignment | str | None = None,
            digest: str = "",
            metadata: Mapping[str, str] | None = None,
            **changes: object,
        ) -> RunningBot:
            given = (
                make_assignment(metadata={"script": script, **(metadata or {})}, **changes)
                if assignment is None
                else assignment
            )
            folder = root / f"bot{len(bots)}"
            folder.mkdir()
            bots.append(RunningBot(BOTS[request.param], folder, given, digest))
            return bots[-1]

        yield start_bot
        stop_all(bots)
