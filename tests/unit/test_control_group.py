"""Processes that go before all others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.machine.control_group import ROOT, preferred, unified

NAME = f"meeting-buddy-tests-unit-{os.getpid()}"
GROUP = (ROOT if unified() else ROOT / "cpu") / NAME
CHILD = "import sys; print(open('/proc/self/cgroup').read(), flush=True); sys.stdin.read()"


@pytest.mark.skipif(not os.access(GROUP.parent, os.W_OK), reason="control groups cannot be written here")
def test_who_is_preferred_is_like_everybody_afterwards_and_so_is_what_it_started() -> None:
    before = Path("/proc/self/cgroup").read_text()
    with preferred(NAME):
        assert NAME in Path("/proc/self/cgroup").read_text()
        weight = next(path for path in (GROUP / "cpu.shares", GROUP / "cpu.weight") if path.is_file())
        usual = GROUP.parent / weight.name if weight.name == "cpu.shares" else None
        assert int(weight.read_text()) == 100 * (int(usual.read_text()) if usual else 100)
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert any(NAME in line for line in iter(child.stdout.readline, "\n"))
    assert Path("/proc/self/cgroup").read_text() == before
    assert NAME not in Path(f"/proc/{child.pid}/cgroup").read_text()
    assert not GROUP.exists()
    child.communicate("")
    assert child.returncode == 0
