"""Processes that go before all others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.machine.control_group import PREFERRED, ROOT, preferred, unified

NAME = "meeting-buddy-tests-unit"
GROUP = (ROOT if unified() else ROOT / "cpu") / f"{NAME}-{os.getpid()}"
CHILD = "import sys; print(open('/proc/self/cgroup').read(), flush=True); sys.stdin.read()"


@pytest.mark.skipif(not os.access(GROUP.parent, os.W_OK), reason="control groups cannot be written here")
def test_who_is_preferred_is_like_everybody_afterwards_and_so_is_what_it_started() -> None:
    before = Path("/proc/self/cgroup").read_text()
    with preferred(NAME):
        assert GROUP.name in Path("/proc/self/cgroup").read_text()
        found = {name: int((GROUP / name).read_text()) for name in PREFERRED if (GROUP / name).is_file()}
        assert found
        assert found.items() <= PREFERRED.items()
        argv = [sys.executable, "-c", CHILD]
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert any(GROUP.name in line for line in iter(child.stdout.readline, "\n"))
    assert Path("/proc/self/cgroup").read_text() == before
    assert GROUP.name not in Path(f"/proc/{child.pid}/cgroup").read_text()
    assert not GROUP.exists()
    child.communicate("")
    assert child.returncode == 0
