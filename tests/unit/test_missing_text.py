"""What has no text is told once, from admission on, and in few words."""

from __future__ import annotations

import pytest

from meeting_buddy_bot.transcription.messages import Missed
from meeting_buddy_bot.transcription.missing import MissingText


class Session:
    def __init__(self, joined: float | None = 10.0) -> None:
        self.joined = joined
        self.told: list[tuple[float, float, str]] = []
        self.missing = MissingText(lambda: self.joined, self._tell)

    def _tell(self, missed: Missed) -> None:
        self.told.append((missed.start, missed.end, missed.cause))


def test_a_stretch_is_told_when_it_is_over() -> None:
    session = Session()
    session.missing.begin(20, "the transcriber died")
    assert not session.told
    session.missing.end(25)
    session.missing.end(30)
    assert session.told == [(20, 25, "the transcriber died")]
    assert session.missing.sentence() == "without text: 20-25 s (the transcriber died)"


def test_nobody_misses_what_was_before_admission() -> None:
    session = Session(joined=None)
    session.missing.begin(0, "the transcriber died")
    session.joined = 600.0
    session.missing.end(603)
    session.missing.add(100, 200, "it was late")
    assert session.told == [(600, 603, "the transcriber died")]


def test_whoever_was_never_admitted_misses_nothing() -> None:
    session = Session(joined=None)
    session.missing.add(5, 50, "it was late")
    assert session.missing.sentence() is None


def test_no_part_counts_twice() -> None:
    session = Session()
    session.missing.add(20, 30, "it was late")
    session.missing.begin(25, "the transcriber died")
    session.missing.begin(28, "the transcriber died")
    session.missing.end(40)
    session.missing.add(35, 39, "it was late")
    assert session.told == [(20, 30, "it was late"), (30, 40, "the transcriber died")]


def test_what_is_told_later_may_lie_before_between_and_around_what_is_known() -> None:
    session = Session()
    session.missing.add(400, 402, "no sound came")
    session.missing.add(450, 460, "it was late")
    session.missing.begin(150, "the transcriber died")
    session.missing.end(470)
    assert session.told[2:] == [
        (150, 400, "the transcriber died"),
        (402, 450, "the transcriber died"),
        (460, 470, "the transcriber died"),
    ]
    session.missing.add(100, 500, "it was late")
    assert session.told[5:] == [(100, 150, "it was late"), (470, 500, "it was late")]
    sentence = session.missing.sentence()
    assert sentence is not None
    assert sentence.startswith("without text: 100-150 s (it was late), 150-400 s (the transcriber died), 400-402 s")


def test_a_start_may_take_longer() -> None:
    session = Session()
    session.missing.begin(0, "no transcriber heard it", least=5)
    session.missing.end(14)
    session.missing.begin(14, "the transcriber died")
    session.missing.end(18)
    assert session.told == [(14, 18, "the transcriber died")]


def test_a_moment_is_not_told() -> None:
    session = Session()
    session.missing.add(20, 20.4, "it was late")
    assert session.missing.sentence() is None


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (2, "without text: 20-30 s (0), 40-50 s (1)"),
        (7, "without text: 20-30 s (0), 40-50 s (1), 60-70 s (2), 80-90 s (3), 100-110 s (4) and 2 more until 150 s"),
    ],
)
def test_many_stretches_are_counted(number: int, told: str) -> None:
    session = Session()
    for n in range(number):
        session.missing.add(20 + 20 * n, 30 + 20 * n, str(n))
    assert session.missing.sentence() == told


def test_stretches_of_one_cause_that_follow_each_other_are_one() -> None:
    session = Session()
    for start in range(20, 80, 10):
        session.missing.add(start, start + 8, "the server is away")
    assert session.missing.sentence() == "without text: 20-78 s (the server is away)"
    assert len(session.told) == 6


def test_what_an_earlier_process_told_is_counted_and_not_told_again() -> None:
    session = Session(joined=100.0)
    session.missing.add(110, 120, "the engine failed")
    session.missing.recall([Missed(start=20, end=30, cause="the transcriber died")])
    assert session.told == [(110, 120, "the engine failed")]
    assert session.missing.sentence() == ("without text: 20-30 s (the transcriber died), 110-120 s (the engine failed)")


def test_what_an_earlier_process_told_in_pieces_is_one_stretch() -> None:
    session = Session()
    session.missing.add(320, 330, "the transcriber died")
    session.missing.recall(Missed(start=start, end=start + 10, cause="it was late") for start in range(20, 300, 10))
    assert session.told == [(320, 330, "the transcriber died")]
    assert session.missing.sentence() == "without text: 20-300 s (it was late), 320-330 s (the transcriber died)"
