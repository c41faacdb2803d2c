"""Every test but the hour-long ones, side by side; what failed is run once more, by itself.

Chance fails a test of real processes or sockets now and then, and half an hour of other tests is not thrown away for
it. The second run is a process of its own: nothing of the first one is left in it, and nothing else runs beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.local.clone import REPOSITORY

PROCESSES: Final = 7
"""More than there are processors: most of the tests' time is waiting."""

MOST_REPEATED: Final = 5
"""Tests that chance may fail in one run."""

_LAST_FAILED: Final = REPOSITORY / ".pytest_cache/v/cache/lastfailed"


def run(run_pytest: Callable[[Sequence[str]], int], last_failed: Path = _LAST_FAILED) -> int:
    """Run everything, and once more what failed by chance.

    Args:
        run_pytest: runs pytest with these arguments; its exit code.
        last_failed: where pytest writes which tests failed.

    Returns:
        The exit code of the run that decides.
    """
    last_failed.unlink(missing_ok=True)  # it keeps the names of tests that are no more
    code = run_pytest(["-n", str(PROCESSES), "--no-loadscope-reorder", "--durations", "40"])
    failed = sorted(json.loads(last_failed.read_text())) if last_failed.exists() else []
    if code != pytest.ExitCode.TESTS_FAILED or not 0 < len(failed) <= MOST_REPEATED:
        return code
    print(f"\nOnce more, by themselves, for they failed beside others: {_list(failed)}\n", flush=True)
    code = run_pytest(["-n", "0", *failed])
    outcome = "passed" if code == pytest.ExitCode.OK else "failed again"
    print(f"\nThese failed at first, see above, and {outcome} by themselves: {_list(failed)}", flush=True)
    return code


def _list(failed: Sequence[str]) -> str:
    return "".join(f"\n  {each}" for each in failed)


def _run_pytest(arguments: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m tests.local.suite", description=__doc__).parse_args()
    sys.exit(run(_run_pytest))
