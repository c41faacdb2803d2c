"""The local meeting: LiveKit's server, its page behind TLS, and rooms with people who speak.

    meeting = LocalMeeting()
    meeting.start()
    room = meeting.room("weekly")
    with room.people():
        ...  # somebody joins room.link

`start` adopts what runs already and replaces what an older version of the tree left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from dataclasses import dataclass

from tests.local.cluster.host_changes import HostChanges
from tests.local.cluster.paths import HERE as CLUSTER
from tests.local.machine import address
from tests.local.machine.lock import exclusive
from tests.local.machine.process import Process, kill
from tests.local.machine.progress import step
from tests.local.meetings import priority
from tests.local.meetings.livekit import nginx, server, tokens_process
from tests.local.meetings.livekit.paths import ADDRESS, HERE, ORIGIN, Paths
from tests.local.meetings.livekit.room import Room

_PATIENCE = 90.0  # seconds for one part to answer on a loaded machine
_SERVER_GRACE = 1.0  # seconds: LiveKit's SIGTERM waits for everybody to leave, and whoever stops us will not wait


@dataclass(frozen=True, slots=True)
class LocalMeeting:
    """The one local meeting of this machine."""

    paths: Paths = HERE

    @property
    def certificate_authority(self) -> str:
        """The PEM certificate that a browser has to trust, as text. Raises `FileNotFoundError` before `start`."""
        return self.paths.authority.read_text()

    def start(self) -> None:
        """Bring every part up and wait until it answers. Needs root (for the address); builds what is not cached."""
        with exclusive(self.paths.lock, "the local meeting"):
            self.paths.root.mkdir(parents=True, exist_ok=True)
            with step("address of the meeting") as line:
                line.note = self._ensure_address()
            with step("LiveKit server") as line:
                server.prepare(self.paths)
                line.note = self._run(server.process(self.paths))
            with step("token endpoint") as line:
                line.note = self._run(tokens_process.process(self.paths))
            with step("page and nginx") as line:
                line.note = self._run(nginx.prepare(self.paths))

    def ready(self) -> bool:
        """True when a browser could join now."""
        try:
            return server.answers() and tokens_process.answers() and nginx.answers(self.paths)
        except OSError:
            return False

    def stop(self) -> None:
        """End everything, people first, and remove what `start` made (caches stay)."""
        with exclusive(self.paths.lock, "the local meeting"):
            for room in self.paths.rooms.glob("*"):
                Room(room.name, self.paths).clear()
            self.thaw_server()
            for name, grace in (("front", 5.0), ("token-endpoint", 5.0), ("livekit-server", _SERVER_GRACE)):
                Process(name, (), self.paths.logs / f"{name}.log", self.paths.processes).stop(grace)
            if self.paths.address_mark.exists():
                self._give_up_address()
            shutil.rmtree(self.paths.root, ignore_errors=True)

    def room(self, name: str) -> Room:
        """A room; LiveKit makes it when the first person enters."""
        return Room(name, self.paths)

    def freeze_server(self) -> None:
        """SIGSTOP: the server answers nothing until `thaw_server`, as behind a cut network."""
        self._signal_server(signal.SIGSTOP)

    def thaw_server(self) -> None:
        """SIGCONT."""
        self._signal_server(signal.SIGCONT)

    def kill_server(self) -> None:
        """SIGKILL: the server is gone until the next `start`; people and pages find out for themselves."""
        found = server.process(self.paths).find()
        if found is not None:
            kill(found)

    def status(self) -> dict[str, str]:
        """For each part `running`, with its pid, or `absent`."""
        states = {"address": "present" if address.present(ADDRESS) else "absent", "origin": ORIGIN}
        for record in sorted(self.paths.processes.glob("*.process.json")):
            name = record.name.removesuffix(".process.json")
            found = Process(name, (), self.paths.logs / f"{name}.log", self.paths.processes).find()
            states[name] = "absent" if found is None else f"running, pid {found.pid}"
        return states

    def _run(self, process: Process) -> str:
        ready = {
            "livekit-server": server.answers,
            "token-endpoint": tokens_process.answers,
            "front": lambda: nginx.answers(self.paths),
        }
        started = process.start()
        process.wait_ready(ready[process.name], _PATIENCE)
        if (found := process.find()) is not None:
            priority.prefer_session(found.pid)
        return "started" if started else "adopted"

    def _ensure_address(self) -> str:
        if not address.ensure(ADDRESS):
            return "adopted"
        self.paths.address_mark.touch()
        return "added"

    def _give_up_address(self) -> None:
        """Take away the address that was added here, or leave that to the cluster that uses it."""
        if CLUSTER.host_changes.exists():
            HostChanges(CLUSTER.host_changes).note("address", ADDRESS)
        else:
            address.remove(ADDRESS)

    def _signal_server(self, number: signal.Signals) -> None:
        found = server.process(self.paths).find()
        if found is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, number)
