"""What earlier bots left beside media: whom they saw, what they told to be missing, when they were in the meeting."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import Mock

import pytest

from meeting_buddy_bot.session.earlier import Stay, read_earlier
from meeting_buddy_bot.transcription.messages import Missed

ANN = {"event": "participant_joined", "name": "Ann"}
BO = {"event": "participant_joined", "name": "Bo"}
MISSED = {"event": "not_transcribed", "start": 20.0, "end": 30.0, "cause": "the engine failed"}


def write(folder: Path, *events: Mapping[str, object]) -> None:
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))


def at(seconds: float, event: str, **more: object) -> Mapping[str, object]:
    return {"t": seconds, "event": event, **more}


FIRST, IN, AGAIN = at(0, "bot_started", attempt=1), at(5, "admitted"), at(60, "bot_started", attempt=2)
OUT = (at(30, "leaving"), at(31, "left"))


@pytest.mark.parametrize(
    ("events", "stays"),
    [
        ((), []),
        ((FIRST, at(9, "ended")), []),
        ((FIRST, IN, at(9, "people")), [Stay(5, 9)]),
        ((FIRST, IN, *OUT, at(40, "ended")), [Stay(5, 31, told=True)]),
        ((FIRST, IN, at(40, "ended")), [Stay(5, 40, told=True)]),
        ((FIRST, IN, *OUT, at(40, "recorder_ended")), [Stay(5, 31)]),
        ((FIRST, IN, *OUT, at(40, "admitted"), at(50, "people")), [Stay(5, 50)]),
        ((FIRST, IN, at(9, "people"), at(55, "volume_back"), AGAIN, at(70, "waiting")), [Stay(5, 9)]),
        ((FIRST, IN, at(9, "people"), AGAIN, at(70, "ended")), [Stay(5, 9)]),
        (
            (FIRST, IN, at(9, "people"), AGAIN, at(70, "admitted"), at(80, "ended")),
            [Stay(5, 9), Stay(70, 80, told=True)],
        ),
        ((FIRST, IN, at(9, "people"), at(70, "finisher_ended")), [Stay(5, 9, told=True)]),
        ((FIRST, IN, at(9, "people"), at(70, "finisher_ended", transcript=True)), [Stay(5, 9, told=True)]),
        ((FIRST, IN, at(9, "people"), at(70, "finisher_ended", transcript=False)), [Stay(5, 9)]),
        ((FIRST, IN, at(9, "people"), at(70, "bot_started", attempt=3), at(80, "admitted")), [Stay(5, 9)]),
    ],
)
def test_when_bots_were_in_the_meeting(
    tmp_path: Path, events: tuple[Mapping[str, object], ...], stays: list[Stay]
) -> None:
    write(tmp_path, *events)
    assert list(read_earlier(tmp_path, attempt=3).stays) == stays


def test_a_bot_does_not_take_its_own_events_for_earlier_ones(tmp_path: Path) -> None:
    write(tmp_path, FIRST, ANN, MISSED, at(9, "ended"), AGAIN, BO, {**MISSED, "start": 50.0, "end": 60.0})
    facts = read_earlier(tmp_path, attempt=2)
    assert facts.participants == ("Ann",)
    assert facts.missed == (Missed(start=20.0, end=30.0, cause="the engine failed"),)


@pytest.mark.parametrize("start", [10**400, "soon", None], ids=["huge", "word", "none"])
def test_nonsense_in_an_event_does_not_keep_from_the_others(tmp_path: Path, start: object) -> None:
    write(tmp_path, FIRST, {"event": "speaking", "name": "Ann", "start": start, "end": 3.0}, ANN)
    assert read_earlier(tmp_path).participants == ("Ann",)


def test_names_of_a_bot_that_ended_and_of_one_that_was_killed_after_it_are_all_known(tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text(json.dumps({"participants": ["Zoe", "Ann"]}))
    write(tmp_path, FIRST, ANN, at(9, "ended"), AGAIN, BO)
    assert read_earlier(tmp_path).participants == ("Zoe", "Ann", "Bo")


def test_a_session_file_that_is_damaged_does_not_keep_from_the_events(tmp_path: Path) -> None:
    write(tmp_path, FIRST, ANN)
    (tmp_path / "session.json").write_text("[" * 200_000)
    assert read_earlier(tmp_path).participants == ("Ann",)


def test_nor_does_one_that_the_volume_refuses(tmp_path: Path) -> None:
    write(tmp_path, FIRST, ANN)
    (tmp_path / "session.json").mkdir()
    assert read_earlier(tmp_path).participants == ("Ann",)


def test_a_volume_that_is_gone_is_no_session_without_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FIRST, ANN)
    monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=OSError(errno.ESTALE, "Stale file handle")))
    with pytest.raises(OSError, match="Stale"):
        read_earlier(tmp_path)
