"""Processes of this machine that outlive the command that started them."""

import os
import signal
from pathlib import Path

from tests.local.machine.process import Process, kill


def state(pid: int) -> str:
    """One letter, as `ps` has it."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_a_process_that_was_frozen_and_left_behind_goes_on_when_it_is_adopted(tmp_path: Path) -> None:
    process = Process("sleeper", ("sleep", "321.5"), tmp_path / "log", tmp_path)
    assert process.start()
    try:
        found = process.find()
        assert found is not None
        os.kill(found.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, found.pid, os.WSTOPPED | os.WNOWAIT)
        assert state(found.pid) == "T"
        assert not process.start(), "adopted"
        os.waitid(os.P_PID, found.pid, os.WCONTINUED | os.WNOWAIT)
        assert state(found.pid) != "T"
    finally:
        process.stop()


def test_a_process_whose_command_line_nobody_knows_is_found_by_its_record_alone(tmp_path: Path) -> None:
    process = Process("sleeper", ("sleep", "321.6"), tmp_path / "log", tmp_path)
    unknown = Process("sleeper", (), tmp_path / "log", tmp_path)
    assert unknown.find() is None, "processes without a command line are somebody else's, such as the kernel's"
    process.start()
    try:
        assert unknown.find() == process.find() is not None
    finally:
        assert unknown.stop()
    assert process.find() is None


def test_what_was_killed_is_gone_and_the_next_start_is_a_new_process(tmp_path: Path) -> None:
    process = Process("sleeper", ("sleep", "321.7"), tmp_path / "log", tmp_path)
    for _ in range(20):  # an ending process is adopted only now and then
        assert process.start()
        found = process.find()
        assert found is not None
        kill(found)
        assert process.find() is None
