"""What a shortage of processors costs the text: the transcriber's loop while the kernel or a decoding tells of one."""

from __future__ import annotations

from itertools import pairwise

import pytest

from meeting_buddy_bot.transcription.scheduler import attempt
from meeting_buddy_bot.transcription.shortage import Shortage
from meeting_buddy_bot.transcription.sparing import HELD_SECONDS, MAX_HELD_SECONDS, Sparing
from tests.unit.test_decoding_scheduler import Meeting


def test_a_machine_short_of_processors_decodes_only_what_stays() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 1), decoding=False)
    meeting.scheduler.complete(job := meeting.take(), attempt(job, meeting.engine), 3.0, waited=2.0)
    assert meeting.scheduler.progress().spares
    meeting.hear((0.9, 9), (0, 0.45))
    assert meeting.engine.calls == [False]
    meeting.hear((0, 1))
    assert meeting.engine.calls == [False, True]
    meeting.hear((0, 10), (0.9, 3))  # twenty seconds later it looks again
    assert False in meeting.engine.calls[2:]


def test_a_machine_is_short_of_processors_no_longer_because_no_sound_comes() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 1), decoding=False)
    meeting.scheduler.complete(job := meeting.take(), attempt(job, meeting.engine), 3.0, waited=2.0)
    assert meeting.scheduler.progress().spares
    meeting.clock += 21
    assert not meeting.scheduler.progress().spares


def test_a_slow_server_is_no_shortage_of_processors() -> None:
    meeting = Meeting()
    meeting.hear((0, 1), (0.9, 1), decoding=False)
    meeting.scheduler.complete(job := meeting.take(), attempt(job, meeting.engine), 3.0, waited=0.1)
    assert not meeting.scheduler.progress().spares
    meeting.hear((0.9, 5.5))
    assert meeting.engine.calls == [False, False]


TALK = ((0.9, 8.0), (0.0, 1.0))
"""One sentence that somebody says, and the pause behind it."""


def test_where_processors_are_short_partial_texts_are_rare_and_pauses_are_not_decoded() -> None:
    meeting = Meeting()
    meeting.shortage = Shortage.SHORT
    meeting.hear((0, 1), (0.9, 5), (0, 0.45), (0.9, 7), (0, 1))
    starts = [each.end for each in meeting.partials]
    assert len(starts) == 2
    assert starts[0] >= 1 + 6
    assert starts[1] - starts[0] >= 6
    assert meeting.engine.calls == [False, False, True]
    assert meeting.scheduler.progress().spares


def test_where_processors_are_very_short_only_what_stays_is_decoded() -> None:
    meeting = Meeting()
    meeting.shortage = Shortage.SEVERE
    meeting.hear(*TALK * 3)
    assert meeting.engine.calls == [True] * 3
    assert len(meeting.utterances) == 3


@pytest.mark.parametrize(
    ("shortage", "pause"), [(Shortage.NONE, 0.5), (Shortage.SHORT, 1.0), (Shortage.SEVERE, 2.0)], ids=lambda it: str(it)
)
def test_after_a_final_the_decoder_rests_the_longer_the_shorter_processors_are(
    shortage: Shortage, pause: float
) -> None:
    meeting = Meeting()
    meeting.hear(*((0.9, 2.0), (0, 1.0)) * 6, decoding=False)
    meeting.shortage = shortage
    meeting.hear_slowly(0.5, (0.0, 14.0))
    starts = [at for at, final in meeting.decoded if final]
    assert len(starts) == 6
    assert all(b - a == pytest.approx(pause, abs=0.11) for a, b in pairwise(starts))


def test_a_rest_is_over_when_the_shortage_is() -> None:
    meeting = Meeting()
    meeting.hear(*((0.9, 2.0), (0, 1.0)) * 2, decoding=False)
    meeting.shortage = Shortage.SEVERE
    meeting.finish(meeting.take(), seconds=3.0)
    assert meeting.scheduler.next_job() is None
    meeting.shortage = Shortage.SHORT
    assert meeting.scheduler.next_job() is None
    meeting.shortage = Shortage.NONE
    assert meeting.take().final


def test_a_rest_is_over_although_no_sound_comes() -> None:
    meeting = Meeting()
    meeting.shortage = Shortage.SEVERE
    meeting.hear(*TALK * 3, decoding=False)
    meeting.finish(meeting.take(), seconds=3.0)
    meeting.clock += 8.9
    assert meeting.scheduler.next_job() is None
    meeting.clock += 0.2
    assert meeting.take().final


def test_nothing_rests_after_the_end() -> None:
    meeting = Meeting()
    meeting.shortage = Shortage.SEVERE
    meeting.hear(*TALK * 4, decoding=False)
    meeting.finish(meeting.take(), seconds=5.0)
    assert meeting.scheduler.next_job() is None
    meeting.end()
    assert len(meeting.utterances) == 4
    assert not meeting.missed
    assert meeting.scheduler.idle


def test_a_decoder_that_rests_loses_nothing() -> None:
    meeting = Meeting()
    meeting.shortage = Shortage.SEVERE
    meeting.hear_slowly(6.0, *TALK * 30)  # with all its rests it would need eight minutes for these four and a half
    assert (
        40 < meeting.time - meeting.scheduler.progress().done < 80
    )  # up to a minute it rests, then it does what it can
    meeting.end()
    assert not meeting.missed
    assert [each.segment for each in meeting.utterances] == list(range(1, 31))
    assert meeting.scheduler.progress().done == meeting.scheduler.progress().heard


def test_what_waits_for_processors_is_kept_for_five_minutes() -> None:
    meeting = Meeting()
    meeting.shortage = Shortage.SHORT
    stuck_at = 40
    meeting.hear(*TALK, decoding=False)
    stuck = meeting.take()
    meeting.hear(*TALK * stuck_at, decoding=False)
    assert meeting.missed
    assert "more than 300 s" in meeting.missed[0].cause
    meeting.finish(stuck)
    meeting.end()
    kept = sum(each.end - each.start for each in meeting.utterances[1:])
    assert MAX_HELD_SECONDS - 10 < kept <= MAX_HELD_SECONDS
    assert len(meeting.utterances) + len(meeting.missed) == stuck_at + 1


def test_a_shortage_that_has_just_ended_loses_nothing() -> None:
    meeting = Meeting()
    meeting.shortage = Shortage.SHORT
    meeting.hear(*TALK, decoding=False)
    meeting.shortage = Shortage.NONE
    meeting.hear(*TALK * round(HELD_SECONDS / 9 - 1), decoding=False)
    assert not meeting.missed


def test_what_was_held_stays_when_the_shortage_is_over_and_no_more_comes_to_it() -> None:
    meeting = Meeting()
    meeting.shortage = Shortage.SHORT
    meeting.hear((0, 1), *TALK * 20, decoding=False)
    meeting.shortage = Shortage.NONE
    meeting.clock += HELD_SECONDS
    meeting.hear((0, 5), decoding=False)
    assert not meeting.missed
    meeting.hear(*TALK, decoding=False)
    assert len(meeting.missed) == 1
    for _ in range(3):
        meeting.finish(meeting.take())
    meeting.hear(*TALK * 3, decoding=False)  # which are no more than it was
    assert len(meeting.missed) == 1


def test_a_backlog_that_was_worked_off_is_held_no_more() -> None:
    meeting = Meeting()
    meeting.shortage = Shortage.SHORT
    meeting.hear(*TALK * 20, decoding=False)
    meeting.shortage = Shortage.NONE
    meeting.clock += HELD_SECONDS
    meeting.hear((0, 5))
    assert meeting.scheduler.idle
    assert not meeting.missed
    meeting.hear(*TALK * 10, decoding=False)
    assert len(meeting.missed) == 4
    assert "more than 60 s" in meeting.missed[0].cause


def test_who_takes_the_room_that_is_not_there_waits_twice_as_long_before_the_next_try() -> None:
    now = 0.0
    sparing = Sparing(lambda: Shortage.NONE, lambda: now)

    def tried(at: float) -> float:
        """Seconds for which a decoding that had to wait ends partial texts."""
        nonlocal now
        now = at
        sparing.decoded(3.0, 2.0, final=True)
        while sparing.finals_only:
            now += 1.0
        return now - at

    assert tried(100.0) == 20.0
    assert tried(now + 5.0) == 40.0
    assert tried(now + 35.0) == 80.0
    assert tried(now + 81.0) == 20.0  # meanwhile there was room
    for _ in range(10):
        longest = tried(now)
    assert longest == 320.0
