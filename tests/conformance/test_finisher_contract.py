"""What every finisher keeps, the real one and the contract-only one: report, leave, probes, outcome."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.assignment import FinisherAssignment
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import MAX_TERMINATION_BYTES
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, RunStart, encode, utc_text
from tests.conformance.running_bot import (
    CONTROL,
    JOINED,
    READ,
    RunningBot,
    make_assignment,
    make_finisher_assignment,
    reachable_folder,
    stop_all,
)
from tests.conformance.unprivileged import GID, UID

FINISHERS = {
    "contract-only": "tests.conformance.contract_only_finisher",
    "finisher": "tests.bot.finisher_program",
}
TAKES_LONG = {"finishing": "10s"}
"""For the contract-only one, which has no ffmpeg that could be held up."""
WHY = "container bot was OOM-killed"


def assignment(**changes: Any) -> FinisherAssignment:
    return make_finisher_assignment(**{"attempt": 2, "reason": Reason.OUT_OF_MEMORY, "message": WHY, **changes})


class Working:
    """A finisher that was started, whose work takes until it is let go."""

    def __init__(self, running: RunningBot, gate: Path) -> None:
        self.running = running
        self._gate = gate

    def let_go(self) -> None:
        """It may come to its end."""
        self._gate.touch()

    async def ended(self) -> RunningBot:
        """Its outcome is written."""
        self.let_go()
        assert await self.running.ended() == 0, self.running.log
        return self.running


Finish = Callable[..., Working]


@pytest.fixture(params=sorted(FINISHERS))
def finish(request: pytest.FixtureRequest) -> Iterator[Finish]:
    """Start a finisher on the folder of a bot that died: ``finish(attempt=3)``."""
    running: list[RunningBot] = []
    with reachable_folder() as root:

        def start(**changes: Any) -> Working:
            folder = root / f"finisher{len(running)}"
            folder.mkdir()
            recordings = unfinished(root / f"recordings{len(running)}")
            programs = gated_ffmpeg(folder.with_name(f"programs{len(running)}"))
            given = assignment(**{"metadata": {"project": "apollo"}, **changes})
            environment = {
                "MEETING_BUDDY_RECORDINGS": str(recordings),
                "PATH": f"{programs}:{os.environ['PATH']}",
            }
            running.append(RunningBot(FINISHERS[request.param], folder, given.to_json(), environment=environment))
            running[-1].recordings = recordings
            return Working(running[-1], programs / "gate")

        try:
            yield start
        finally:
            stop_all(running)


def unfinished(folder: Path) -> Path:
    """What a bot leaves that is killed while it writes its first segment."""
    (folder / "segments").mkdir(parents=True)
    sine = ("-f", "lavfi", "-i", "sine=440:r=48000:d=3", "-c:a", "aac", "-ac", "2")
    subprocess.run(["ffmpeg", "-v", "error", *sine, str(folder / "segments" / "00001.mka")], check=True)
    began = JOINED + timedelta(seconds=1)
    (folder / MANIFEST_FILE).write_bytes(encode(RunStart(1, 1, 1.0, utc_text(began))) + b"\n")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, UID, GID)
    return folder


def gated_ffmpeg(folder: Path) -> Path:
    """A folder with an ffmpeg that begins once there is a file ``gate`` beside it."""
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(
        f'#!/bin/sh\nuntil [ -e {folder}/gate ]; do sleep 0.05; done\nexec {shutil.which("ffmpeg")} "$@"\n'
    )
    program.chmod(0o755)
    return folder


async def test_it_ends_with_the_attempts_own_reason_and_verified_files(finish: Finish) -> None:
    finisher = await finish().ended()
    outcome = finisher.outcome
    assert (outcome.phase, outcome.reason, outcome.message) == (ReportPhase.ENDED, Reason.OUT_OF_MEMORY, WHY)
    assert (outcome.ever_joined, outcome.joined_at) == (True, JOINED)
    assert (outcome.session_id, outcome.attempt) == (make_assignment().session_id, 2)
    assert (outcome.recording.verified, outcome.recording.segments) == (True, 1)
    assert len(finisher.termination_message.encode()) <= MAX_TERMINATION_BYTES
    assert finisher.session["recording"]["verified"]
    assert finisher.session["reason"] == "OutOfMemory"
    assert finisher.session["metadata"]["project"] == "apollo"


async def test_while_it_works_it_is_alive_and_never_ready(finish: Finish) -> None:
    working = finish(metadata=TAKES_LONG)
    report = await working.running.until(lambda each: each.phase is ReportPhase.LEAVING)
    assert (report.ever_joined, report.joined_at, report.reason) == (True, JOINED, None)
    async with working.running.http(None) as client:
        for path, status in (("/livez", 200), ("/readyz", 503), ("/v1/report", 401), ("/v1/events", 401)):
            async with client.get(path) as response:
                assert (path, response.status) == (path, status)
    await working.ended()


async def test_a_leave_is_accepted_and_changes_nothing(finish: Finish) -> None:
    working = finish(metadata=TAKES_LONG)
    await working.running.until(lambda each: each.phase is ReportPhase.LEAVING)
    assert await working.running.leave() == 202
    outcome = (await working.ended()).outcome
    assert (outcome.reason, outcome.recording.verified) == (Reason.OUT_OF_MEMORY, True)


async def test_no_token_is_in_anything_it_writes(finish: Finish) -> None:
    finisher = await finish(debug_mode=True).ended()
    written = finisher.log + finisher.termination_message + json.dumps(finisher.session)
    for secret in (CONTROL, READ):
        assert secret not in written
