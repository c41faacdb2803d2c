"""What earlier bots left beside media: whom they saw, what they told to be missing, whether they came to their end."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import Mock

import pytest

from meeting_buddy_bot.session.earlier import read_earlier
from meeting_buddy_bot.transcription.messages import Missed

STARTED = {"event": "bot_started", "attempt": 1}
ENDED = {"event": "ended"}
ANN = {"event": "participant_joined", "name": "Ann"}
BO = {"event": "participant_joined", "name": "Bo"}
MISSED = {"event": "not_transcribed", "start": 20.0, "end": 30.0, "cause": "the engine failed"}
ADMITTED = {"event": "admitted", "t": 5.0}
SECOND = {"event": "bot_started", "attempt": 2}


def write(folder: Path, *events: Mapping[str, object]) -> None:
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))


@pytest.mark.parametrize(
    ("events", "ended"),
    [
        ((STARTED, ENDED), True),
        ((STARTED, ANN), False),
        ((STARTED, ENDED, SECOND), False),
        ((STARTED, SECOND, {"event": "finisher_ended"}), True),
        ((), True),
    ],
)
def test_a_bot_that_was_killed_came_to_no_end(
    tmp_path: Path, events: tuple[Mapping[str, object], ...], ended: bool
) -> None:
    write(tmp_path, *events)
    assert read_earlier(tmp_path).ended is ended


def test_a_bot_does_not_take_its_own_events_for_earlier_ones(tmp_path: Path) -> None:
    write(tmp_path, STARTED, ANN, MISSED, ENDED, SECOND, BO, {**MISSED, "start": 50.0, "end": 60.0})
    facts = read_earlier(tmp_path, attempt=2)
    assert (facts.participants, facts.ended) == (("Ann",), True)
    assert facts.missed == (Missed(start=20.0, end=30.0, cause="the engine failed"),)


@pytest.mark.parametrize(
    ("events", "admitted"),
    [((STARTED, ENDED), None), ((STARTED, ADMITTED, SECOND, {**ADMITTED, "t": 90.0}), 5.0), ((SECOND, ADMITTED), None)],
)
def test_the_first_admission_counts(
    tmp_path: Path, events: tuple[Mapping[str, object], ...], admitted: float | None
) -> None:
    write(tmp_path, *events)
    assert read_earlier(tmp_path, attempt=2).admitted == admitted


@pytest.mark.parametrize("start", [10**400, "soon", None], ids=["huge", "word", "none"])
def test_nonsense_in_an_event_does_not_keep_from_the_others(tmp_path: Path, start: object) -> None:
    write(tmp_path, STARTED, {"event": "speaking", "name": "Ann", "start": start, "end": 3.0}, ANN)
    assert read_earlier(tmp_path).participants == ("Ann",)


def test_names_of_a_bot_that_ended_and_of_one_that_was_killed_after_it_are_all_known(tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text(json.dumps({"participants": ["Zoe", "Ann"]}))
    write(tmp_path, STARTED, ANN, ENDED, SECOND, BO)
    assert read_earlier(tmp_path).participants == ("Zoe", "Ann", "Bo")


def test_a_session_file_that_is_damaged_does_not_keep_from_the_events(tmp_path: Path) -> None:
    write(tmp_path, STARTED, ANN)
    (tmp_path / "session.json").write_text("[" * 200_000)
    assert read_earlier(tmp_path).participants == ("Ann",)


def test_nor_does_one_that_the_volume_refuses(tmp_path: Path) -> None:
    write(tmp_path, STARTED, ANN)
    (tmp_path / "session.json").mkdir()
    assert read_earlier(tmp_path).participants == ("Ann",)


def test_a_volume_that_is_gone_is_no_session_without_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, STARTED, ANN)
    monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=OSError(errno.ESTALE, "Stale file handle")))
    with pytest.raises(OSError, match="Stale"):
        read_earlier(tmp_path)
