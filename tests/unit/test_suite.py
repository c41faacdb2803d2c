"""`make test` runs once more what chance may have failed, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.local.suite import MOST_REPEATED, run

REAL = "tests/bot/test_browser.py::test_a[x-0]"


class Runs:
    """Runs of pytest with these outcomes: exit code, and which tests failed."""

    def __init__(self, folder: Path, *outcomes: tuple[int, Sequence[str]]) -> None:
        self.last_failed = folder / "lastfailed"
        self.last_failed.write_text(json.dumps({"tests/bot/test_gone.py::test_gone": True}))
        self.arguments: list[Sequence[str]] = []
        self._outcomes = list(outcomes)

    def __call__(self, arguments: Sequence[str]) -> int:
        self.arguments.append(arguments)
        code, failed = self._outcomes.pop(0)
        if failed:
            self.last_failed.write_text(json.dumps(dict.fromkeys(failed, True)))
        return code


@pytest.mark.parametrize("again", [pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED])
def test_what_failed_is_run_once_more_and_that_decides(
    tmp_path: Path, again: pytest.ExitCode, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = Runs(tmp_path, (pytest.ExitCode.TESTS_FAILED, [REAL]), (again, []))
    assert run(runs, runs.last_failed) == again
    assert runs.arguments[1:] == [["-n", "0", REAL]]
    assert (
        f"{'passed' if again is pytest.ExitCode.OK else 'failed again'} by themselves: \n  {REAL}"
        in capfd.readouterr().out
    )


@pytest.mark.parametrize(
    ("code", "failed"),
    [
        (pytest.ExitCode.OK, []),
        (pytest.ExitCode.TESTS_FAILED, []),
        (pytest.ExitCode.INTERRUPTED, [REAL]),
        (pytest.ExitCode.TESTS_FAILED, [f"{REAL}{number}" for number in range(MOST_REPEATED + 1)]),
    ],
)
def test_anything_else_is_decided_at_once(tmp_path: Path, code: pytest.ExitCode, failed: Sequence[str]) -> None:
    runs = Runs(tmp_path, (code, failed))
    assert run(runs, runs.last_failed) == code
