"""The command of container `bot`, as PID 1 of a PID namespace of its own: it hears SIGTERM from its first moment on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import session_pod
from tests.conformance.running_bot import make_assignment
from tests.local.clone import REPOSITORY
from tests.support import operator_facts
from tests.support.awaiting import until

_STARTED_BY_IMAGE = "#!/bin/sh\nexec {python} -P -m meeting_buddy_bot\n"
"""As the image's `meeting-buddy-bot` does."""


@contextmanager
def container(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The pod's command, whose interpreter gets no further than its own start."""
    (command := folder / "bin" / "meeting-buddy-bot").parent.mkdir()
    command.write_text(_STARTED_BY_IMAGE.format(python=sys.executable))
    command.chmod(0o755)
    (never_up := folder / "startup").mkdir()
    (never_up / "sitecustomize.py").write_text("import time\ntime.sleep(600)\n")
    (folder / "assignment.json").write_text(make_assignment().to_json())
    places = {name: folder / name.lower() for name in ("RECORDINGS", "SOCKETS")}
    for place in places.values():
        place.mkdir()
    places |= {"ASSIGNMENT": folder / "assignment.json", "TERMINATION_LOG": folder / "termination-log"}
    facts = operator_facts
    pod = session_pod(BotPodInput("meetings", "standup", facts.UID, facts.spec(), facts.CLASS))
    process = subprocess.Popen(
        ("unshare", "--pid", "--fork", "--kill-child", *pod["spec"]["containers"][0]["command"]),
        env={
            "PATH": f"{command.parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": ":".join(map(str, (never_up, REPOSITORY / "operator", REPOSITORY / "bot-image"))),
            **{f"MEETING_BUDDY_{name}": str(place) for name, place in places.items()},
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def child_of(parent: int) -> int | None:
    """Process id of its first child, once there is one."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(parent):
                return int(entry.name)
        except OSError:
            continue
    return None


async def test_sigterm_before_the_bot_is_up_ends_the_container(tmp_path: Path) -> None:
    with container(tmp_path) as unshare:
        await until(lambda: child_of(unshare.pid) is not None)
        init = child_of(unshare.pid)
        assert init is not None
        await until(lambda: child_of(init) is not None or unshare.poll() is not None)
        os.kill(init, signal.SIGTERM)
        await until(lambda: unshare.poll() is not None)
        # tini hands on how its child ended: by the signal, before any handler of its own.
        assert unshare.returncode == 128 + signal.SIGTERM
        assert not (tmp_path / "termination-log").exists()
