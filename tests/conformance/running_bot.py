"""A bot as the cluster sees it: a process with assignment, port, volume and termination log. Whichever bot it is.

Everything here goes through the contract: files in, HTTP and files out. The process runs under the pod's uid and
gid, in a session of its own, so that whatever it started can be ended with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from meeting_buddy.contract.assignment import (
    Assignment,
    FinisherAssignment,
    RecordingConfig,
    TokenDigests,
    assignment_sha256,
)
from meeting_buddy.contract.links import SelfHostedHost
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.contract.token import digest
from tests.conformance.unprivileged import GID, UID
from tests.local.clone import REPOSITORY
from tests.support.awaiting import PATIENCE
from tests.support.machine_wide import free_display, free_port
from tests.support.platform_tables import platform_table

LINK = "https://meet.buddy.test:8443/rooms/weekly#passphrase-abc123"
CONTROL, READ = "c0ffee" * 10, "beef" * 16

_PAUSE = 0.1  # seconds between two looks at a report

JOINED = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
"""When the bot joined whose files a finisher finishes."""
_ATTEMPT: dict[str, Any] = {
    "session_id": "mbsess_0123456789abcdef0123456789abcdef",
    "namespace": "meetings",
    "attempt": 1,
    "grace_seconds": 30,
    "tokens": TokenDigests(control=digest(CONTROL), read=digest(READ)),
}


def make_assignment(**changes: Any) -> Assignment:
    """An assignment for a self-hosted meeting, with ``changes`` to its fields."""
    fields: dict[str, Any] = {
        "link": LINK,
        "platform": "LiveKit",
        "self_hosted": (SelfHostedHost(platform="LiveKit", host="meet.buddy.test", port=8443),),
        "table": platform_table("livekit"),
    }
    return Assignment(**{**_ATTEMPT, **fields, **changes})


def make_finisher_assignment(**changes: Any) -> FinisherAssignment:
    """What the operator would give the finisher of a recording of sound, with ``changes`` to its fields."""
    fields: dict[str, Any] = {
        "recording": RecordingConfig(video="none"),
        "reason": Reason.BOT_CRASHED,
        "joined_at": JOINED,
        "left_at": JOINED + timedelta(minutes=1),
    }
    return FinisherAssignment(**{**_ATTEMPT, **fields, **changes})


class RunningBot:
    """A bot that was started, and what can be asked of it."""

    def __init__(
        self,
        module: str,
        folder: Path,
        assignment: Assignment | str,
        digest: str = "",
        environment: Mapping[str, str] | None = None,
        *,
        unprivileged: bool = True,
    ) -> None:
        """``digest``: SHA-256 of the assignment that the pod was made for; empty: of the one it is given.

        ``unprivileged`` false: as root, for a bot that starts Python, which may lie where the pod's uid cannot read.
        """
        self.folder = folder
        self.recordings = folder / "recordings"
        self.port = free_port()
        self._termination_log = folder / "termination-log"
        assignment_file = folder / "assignment.json"
        assignment_file.write_text(assignment if isinstance(assignment, str) else assignment.to_json())
        self._termination_log.touch()
        for each in (self.recordings, folder / "sockets", folder / "home"):
            each.mkdir()
        if unprivileged:
            _make_reachable(folder)
        paths = {
            "ASSIGNMENT_SHA256": digest or assignment_sha256(assignment_file.read_bytes()),
            "ASSIGNMENT": assignment_file,
            "LINK": folder / "link",
            "RECORDINGS": self.recordings,
            "TERMINATION_LOG": self._termination_log,
            "SOCKETS": folder / "sockets",
            "PORT": self.port,
            "DISPLAY": free_display(),
        }
        self.display = f":{paths['DISPLAY']}"
        self.pulse_server = f"unix:{folder}/sockets/pulse"
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            (sys.executable, "-m", "tests.conformance.unprivileged", module)
            if unprivileged
            else (sys.executable, "-c", f"import {module} as bot; bot.main()"),
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder / "home"),
                "PYTHONPATH": ":".join(str(REPOSITORY / part) for part in ("operator", "bot-image", "")),
                "PYTHONDONTWRITEBYTECODE": "1",
                **{f"MEETING_BUDDY_{name}": str(value) for name, value in paths.items()},
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd="/",
            start_new_session=True,
        )

    @property
    def log(self) -> str:
        """All that it wrote to standard output and error."""
        return (self.folder / "log").read_text(errors="replace")

    @asynccontextmanager
    async def http(self, token: str | None = CONTROL) -> AsyncIterator[aiohttp.ClientSession]:
        """A client that sends ``token``."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self.port}", headers=headers) as client:
            yield client

    async def report(self) -> Report:
        """Its report now. Raises aiohttp.ClientError while it does not listen."""
        async with self.http(READ) as client:
            return await _report(client)

    async def until(self, holds: Callable[[Report], bool], seconds: float = PATIENCE) -> Report:
        """Its first report for which ``holds``; fails with the last one and the log."""
        deadline = time.monotonic() + seconds
        last: Report | None = None
        async with self.http(READ) as client:
            while time.monotonic() < deadline:
                try:
                    last = await _report(client)
                except aiohttp.ClientError:
                    if self.process.poll() is not None:
                        break
                else:
                    if holds(last):
                        return last
                await asyncio.sleep(_PAUSE)
        raise AssertionError(f"it never came; last report: {last}\nlog:\n{self.log}")

    async def leave(self) -> int:
        """Ask it to leave; the HTTP status."""
        async with self.http() as client, client.post("/v1/leave") as response:
            return response.status

    def terminate(self) -> None:
        """What the kubelet does first when a pod has to go."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, seconds: float = 2 * PATIENCE) -> int:
        """Its exit code."""
        try:
            return await asyncio.wait_for(asyncio.to_thread(self.process.wait), seconds)
        except TimeoutError:
            raise AssertionError(f"it did not end in {seconds} s\nlog:\n{self.log}") from None

    @property
    def termination_message(self) -> str:
        """What the kubelet would read."""
        return self._termination_log.read_text()

    @property
    def outcome(self) -> Report:
        """The termination message as a report."""
        return Report.model_validate_json(self.termination_message)

    @property
    def session(self) -> dict[str, Any]:
        """``session.json``."""
        document: dict[str, Any] = json.loads((self.recordings / "session.json").read_text())
        return document

    def children(self) -> dict[str, int]:
        """Name → process id of its direct children."""
        found = {}
        for pid in sorted(_started_by(self.process.pid)):
            try:
                text = Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                continue
            name = text[text.index("(") + 1 : text.rindex(")")]
            state, parent = text[text.rindex(")") + 2 :].split()[:2]
            if parent == str(self.process.pid) and state != "Z":
                found[name] = pid
        return found

    def clear(self) -> None:
        """End it and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()


async def _report(client: aiohttp.ClientSession) -> Report:
    """What a bot reports; raises aiohttp.ClientError."""
    async with client.get("/v1/report") as response:
        response.raise_for_status()
        return Report.model_validate_json(await response.text())


def _started_by(pid: int) -> Iterator[int]:
    """Process ids of the direct children of a process, whichever of its threads started them."""
    with suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):  # this one has
                yield from map(int, (thread / "children").read_text().split())


def _make_reachable(folder: Path) -> None:
    """Give the folder to the pod's uid."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, UID, GID)


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A temporary folder that any uid can reach; those of pytest are private to the uid that runs the tests."""
    with tempfile.TemporaryDirectory(prefix="meeting-buddy-bot-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def stop_all(bots: Sequence[RunningBot]) -> None:
    """End bots, in reverse order."""
    for bot in reversed(bots):
        bot.clear()
