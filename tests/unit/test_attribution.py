"""Who said which words: hints that are late, flicker, overlap, or come when the text was told already."""

import math
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meeting_buddy.contract.transcript import SpeakerSource, TranscriptLine, Word
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.transcription import attribution
from meeting_buddy_bot.transcription.attribution import Attributor, part_name, speakers
from meeting_buddy_bot.transcription.messages import Partial, Utterance
from meeting_buddy_bot.transcription.writer import cleaned

BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def utc(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def utterance(*words: tuple[str, float, float], segment: int = 12, revision: int = 1) -> Utterance:
    return Utterance(
        segment=segment,
        revision=revision,
        start=words[0][1],
        end=words[-1][2],
        language="en",
        text=" ".join(word[0] for word in words),
        words=tuple(Word(text=text, start=start, end=end) for text, start, end in words),
    )


def evenly(text: str, start: float = 10.0, each: float = 0.5) -> Utterance:
    words = [(word, start + index * each, start + (index + 1) * each) for index, word in enumerate(text.split())]
    return utterance(*words)


def told(lines: Sequence[TranscriptLine]) -> list[tuple[str, str | None, str]]:
    return [(line.segment, line.speaker, line.text) for line in lines]


def attributor(*intervals: Interval, lag: float = 0.0) -> Attributor:
    made = Attributor(utc, lag=lag)
    for interval in intervals:
        assert made.spoke(interval, 0.0) == []
    return made


def test_one_speaker_has_the_segment_whole() -> None:
    lines = attributor(Interval("Ann", 9.8, 13)).take(evenly("So here we are"), 13.0)
    assert told(lines) == [("12", "Ann", "So here we are")]
    assert (lines[0].source, lines[0].start, lines[0].end, lines[0].revision) == (SpeakerSource.HINTS, 10.0, 12.0, 1)
    assert lines[0].at == utc(10)
    assert lines[0].final


def test_a_segment_is_split_where_the_speaker_changes() -> None:
    said = evenly("Who did it? Me, I did. Why? Fun.")
    lines = attributor(Interval("Ann", 10, 11.5), Interval("Bob", 11.5, 13), Interval("Ann", 13, 15)).take(said, 15.0)
    assert told(lines) == [("12", "Ann", "Who did it?"), ("12b", "Bob", "Me, I did."), ("12c", "Ann", "Why? Fun.")]
    assert [(line.start, line.end) for line in lines] == [(10, 11.5), (11.5, 13), (13, 14)]


def test_hints_are_late() -> None:
    said = evenly("one two three four")
    hints = (Interval("Ann", 10.6, 11.6), Interval("Bob", 11.6, 12.6))
    assert told(attributor(*hints, lag=0.6).take(said, 15.0)) == [
        ("12", "Ann", "one two"),
        ("12b", "Bob", "three four"),
    ]
    assert told(attributor(*hints, lag=0.0).take(said, 15.0))[0] == ("12", "Ann", "one two three")


def test_of_two_who_speak_at_once_it_is_who_covers_more_of_the_word() -> None:
    assert speakers([(10.0, 11.0)], [Interval("Ann", 9, 10.4), Interval("Bob", 10.3, 12)]) == ["Bob"]


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_who_cover_it_alike_it_is_who_began_before(turn: int) -> None:
    both = [Interval("Bob", 9, 12), Interval("Ann", 9.5, 12)][::turn]
    assert speakers([(10.0, 11.0)], both) == ["Bob"]


@pytest.mark.parametrize(
    ("after", "gap", "whose"),
    [("Ann", 0.9, "Ann"), ("Ann", 1.1, None), ("Bob", 0.9, None)],
    ids=["short", "long", "another speaks on"],
)
def test_words_without_a_hint_go_to_who_speaks_before_and_after(after: str, gap: float, whose: str | None) -> None:
    spans = [(10.0, 11.0), (11.0, 11.0 + gap), (11.0 + gap, 13.0)]
    hints = [Interval("Ann", 10, 11), Interval(after, 11 + gap, 13)]
    assert speakers(spans, hints) == ["Ann", whose, after]


def test_a_hint_that_began_late_covers_the_first_word_too() -> None:
    assert speakers([(10.0, 10.8), (10.8, 12.0)], [Interval("Ann", 10.8, 12)]) == ["Ann", "Ann"]


def test_a_turn_of_half_a_second_stays_and_a_shorter_one_goes_to_who_is_nearest() -> None:
    hints = [Interval("Ann", 10, 11), Interval("Bob", 11, 11.5), Interval("Cem", 11.5, 13)]
    assert speakers([(10.0, 11.0), (11.0, 11.5), (11.6, 13.0)], hints) == ["Ann", "Bob", "Cem"]
    assert speakers([(10.0, 11.0), (11.1, 11.5), (11.5, 13.0)], hints) == ["Ann", "Cem", "Cem"]


def test_a_short_turn_keeps_its_name_where_nobody_else_has_one() -> None:
    assert speakers([(10.0, 12.0), (12.0, 12.3), (12.3, 14.0)], [Interval("Ann", 12, 12.3)]) == [None, "Ann", None]


def test_what_nobody_can_be_named_for_says_so() -> None:
    [line] = Attributor(utc).take(evenly("Who is this"), 13.0)
    assert (line.speaker, line.source) == (None, SpeakerSource.UNKNOWN)


def test_who_speaks_still_is_asked_for() -> None:
    def speaking_now(t: float) -> tuple[str, ...]:
        return ("Ann",) if t >= 11.6 else ()

    made = Attributor(utc, speaking_now, lag=0.6)
    made.spoke(Interval("Bob", 9, 11.6), 11.8)
    assert told(made.take(evenly("a b c d"), 12.5)) == [("12", "Bob", "a b"), ("12b", "Ann", "c d")]


def test_a_late_name_is_a_later_line_with_a_higher_revision() -> None:
    made = attributor()
    [first] = made.take(evenly("So here we are"), 13.0)
    [second] = made.spoke(Interval("Ann", 10, 12), 14.0)
    assert (first.segment, first.speaker) == ("12", None)
    assert (second.segment, second.speaker, second.text) == ("12", "Ann", "So here we are")
    assert second.revision > first.revision


def test_a_late_name_can_be_one_who_speaks_still() -> None:
    names: list[str] = []
    made = Attributor(utc, lambda _: tuple(names))
    made.take(evenly("So here we are"), 13.0)
    assert made.look_again(14.0) == []
    names.append("Ann")
    assert told(made.look_again(15.0)) == [("12", "Ann", "So here we are")]
    assert made.look_again(16.0) == []


def test_parts_that_are_no_more_are_withdrawn() -> None:
    made = attributor(Interval("Ann", 10, 11), Interval("Bob", 11, 12))
    first = made.take(evenly("a b c d"), 12.0)
    assert told(first) == [("12", "Ann", "a b"), ("12b", "Bob", "c d")]
    later = made.spoke(Interval("Ann", 9, 12.5), 13.0)
    assert told(later) == [("12", "Ann", "a b c d"), ("12b", None, "")]
    assert {line.revision for line in later} == {2}


def test_a_part_that_is_new_is_told_before_what_it_takes_over_is_left_out() -> None:
    made = attributor()
    made.take(evenly("a b c d e f"), 13.0)
    later = made.spoke(Interval("Bob", 11, 12), 14.0)
    assert told(later) == [("12c", None, "e f"), ("12b", "Bob", "c d"), ("12", None, "a b")]
    assert told(made.spoke(Interval("Cem", 12, 13), 15.0)) == [("12c", "Cem", "e f")]
    # Where boundaries move to the right, the part before gains.
    merged = made.spoke(Interval("Bob", 9, 12), 16.0)
    assert told(merged) == [("12", "Bob", "a b c d"), ("12b", "Cem", "e f"), ("12c", None, "")]


def test_only_what_changed_is_told_again() -> None:
    made = attributor(Interval("Ann", 10, 11))
    assert told(made.take(evenly("a b c d e f"), 13.0)) == [("12", "Ann", "a b"), ("12b", None, "c d e f")]
    assert told(made.spoke(Interval("Bob", 11, 13), 14.0)) == [("12b", "Bob", "c d e f")]


def test_a_segment_that_is_over_once_more_goes_on_with_the_revisions() -> None:
    made = attributor()
    made.take(evenly("a b c d"), 12.0)
    made.spoke(Interval("Ann", 10, 12), 13.0)
    again = made.take(evenly("a b c e").model_copy(update={"revision": 2}), 14.0)
    assert [(line.revision, line.text) for line in again] == [(3, "a b c e")]


def test_a_transcriber_that_begins_anew_takes_nothing_back() -> None:
    made = attributor()
    made.new_run(7)  # an earlier bot's
    assert [line.segment for line in made.take(utterance(("a", 1, 2), segment=1), 3.0)] == ["8"]
    assert made.partial(Partial(segment=2, revision=1, start=2, end=3, language="en", text="b")).segment == "9"
    made.new_run(8)
    [line] = made.take(utterance(("c", 4, 5), segment=1), 6.0)
    assert (line.segment, line.revision) == ("10", 1)


def test_after_half_a_minute_nothing_changes() -> None:
    made = attributor()
    made.take(evenly("So here we are"), 13.0)
    assert made.spoke(Interval("Ann", 10, 12), 13.0 + attribution.UNDECIDED_SECONDS + 1) == []


def test_segments_are_kept_in_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "_MAX_SEGMENTS", 2)
    made = attributor()
    for segment in (1, 2, 3):
        made.take(utterance(("yes", 10, 12), segment=segment), 13.0)
    assert [line.segment for line in made.spoke(Interval("Ann", 10, 12), 14.0)] == ["2", "3"]


def test_an_empty_text_withdraws_the_segment() -> None:
    made = attributor(Interval("Ann", 10, 11), Interval("Bob", 11, 12))
    said = evenly("a b c d")
    made.take(said, 12.0)
    lines = made.take(said.model_copy(update={"text": "", "words": (), "revision": 2}), 13.0)
    assert told(lines) == [("12", None, ""), ("12b", None, "")]
    assert {line.revision for line in lines} == {2}
    # Of what was never stored, those who saw the partial text are told all the same.
    assert told(made.take(said.model_copy(update={"segment": 13, "text": ""}), 13.0)) == [("13", None, "")]


def test_a_text_without_blanks_is_split_as_it_is_written() -> None:
    said = utterance(("今日は", 10, 11), ("いい", 11, 12), ("天気", 12, 13)).model_copy(
        update={"text": "今日は、いい天気。"}
    )
    lines = attributor(Interval("Ann", 10, 11), Interval("Bob", 11, 13)).take(said, 14.0)
    assert told(lines) == [("12", "Ann", "今日は、"), ("12b", "Bob", "いい天気。")]


def test_a_text_that_does_not_hold_its_words_is_split_by_the_words() -> None:
    said = evenly("twenty one dogs bark").model_copy(update={"text": "21 dogs bark"})
    lines = attributor(Interval("Ann", 10, 11), Interval("Bob", 11, 13)).take(said, 14.0)
    assert told(lines) == [("12", "Ann", "twenty one"), ("12b", "Bob", "dogs bark")]


def test_a_character_that_a_server_parted_stays_as_it_is_in_the_text() -> None:
    said = utterance(("我们", 10, 11), ("\ufffd", 11, 11.5), ("\ufffd", 11.5, 12), ("起来", 12, 13))
    lines = attributor(Interval("Ann", 10, 12), Interval("Bob", 12, 13)).take(
        said.model_copy(update={"text": "我们嗨起来"}), 14.0
    )
    assert told(lines) == [("12", "Ann", "我们嗨"), ("12b", "Bob", "起来")]
    assert [word.text for line in lines for word in line.words] == ["我们", "起来"]


def test_a_text_that_its_words_cannot_stand_in_for_has_who_spoke_longest() -> None:
    said = evenly("twenty one na\ufffd\ufffdve dogs bark").model_copy(update={"text": "21 naïve dogs bark"})
    lines = attributor(Interval("Ann", 10, 11), Interval("Bob", 11, 13)).take(said, 14.0)
    assert told(lines) == [("12", "Bob", "21 naïve dogs bark")]


@pytest.mark.parametrize(
    ("pieces", "text", "whose"),
    [
        ("?? ? ?? ?", "नमस्ते अन्ना हाँ बोलो", "Ann"),
        ("Hello ?? ??? ? bye", "Hello अन्ना हाँ बोलो bye", "Ann"),
        ("Hello there ? you", "Hello there ज you", "Ann"),
        ("So ? a then", "So ña a then", "Ann"),
        ("So ? a a", "So ña a a", "Ann"),
    ],
    ids=["no word is readable", "between two", "behind the boundary", "the next word's place", "and one later"],
)
def test_no_text_goes_to_the_next_speaker_where_words_cannot_be_read(pieces: str, text: str, whose: str) -> None:
    said = evenly(pieces.replace("?", "\ufffd"), each=1).model_copy(update={"text": text})
    lines = attributor(Interval("Ann", 10, 12.1), Interval("Bob", 12.1, 14), Interval("Cem", 14, 15)).take(said, 16.0)
    assert told(lines) == [("12", whose, text)]


def test_of_a_meeting_that_is_over_all_intervals_are_kept() -> None:
    turns = [Interval("Ann" if n % 2 else "Bob", n, n + 1) for n in range(attribution.MAX_INTERVALS + 10)]
    for most, whose in ((attribution.MAX_INTERVALS, None), (None, "Ann")):
        made = Attributor(utc, lag=0.0, most_intervals=most)
        for turn in turns:
            made.spoke(turn, 0.0)
        [line] = made.take(utterance(("yes", 5.1, 5.9)), 0.0)
        assert line.speaker == whose


def test_a_text_without_words_has_one_speaker() -> None:
    said = evenly("a b c d").model_copy(update={"words": ()})
    assert told(attributor(Interval("Ann", 10, 11.5), Interval("Bob", 11.5, 12)).take(said, 12.0)) == [
        ("12", "Ann", "a b c d")
    ]


def test_hostile_text_is_cleaned_before_it_is_split() -> None:
    said = utterance(("a\n\u202e--> ", 10, 11), ("\u200b", 11, 11.2), ("x" * 5000, 11.2, 12))
    [line] = attributor().take(said, 12.0)
    assert line.text.startswith("a --> xxx")
    assert len(line.text) == 4000
    assert [len(word.text) for word in line.words] == [5, attribution.MAX_WORD]


def test_joiners_of_a_script_stay_in_the_text_and_its_words_and_in_no_name() -> None:
    home = "خانه\u200cام"
    [line] = attributor(Interval("A\u200cnn", 10, 12)).take(utterance((home, 10, 12)), 12.0)
    stored = cleaned(line)
    assert (stored.speaker, stored.text, stored.words[0].text) == ("Ann", home, home)
    assert TranscriptLine.model_validate_json(stored.to_json()).text == home


def test_an_open_segment_has_a_line_with_who_speaks() -> None:
    made = Attributor(utc, lambda _: ("Ann",))
    heard = Partial(segment=3, revision=4, start=1, end=2, language="en", text="So  here", committed=99)
    line = made.partial(heard)
    assert (line.segment, line.revision, line.final, line.speaker) == ("3", 4, False, "Ann")
    assert (line.text, line.committed) == ("So here", len("So here"))


def test_parts_have_names_in_order() -> None:
    assert [part_name(12, index) for index in (0, 1, 2, 25, 26, 27, 51, 52)] == [
        *("12", "12b", "12c", "12z", "12aa", "12ab", "12az", "12ba")
    ]
    assert len({part_name(1, index) for index in range(2000)}) == 2000


moments = st.integers(0, 100).map(lambda tenths: tenths / 10)
hints = st.builds(
    lambda name, start, length: Interval(name, start, start + length), st.sampled_from("ABC"), moments, moments
)
lengths = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=15)


@given(lengths, st.lists(hints, max_size=4), st.lists(hints, max_size=6))
def test_no_word_is_lost_or_doubled_and_revisions_rise(
    spans: list[tuple[int, int]], before: list[Interval], after: list[Interval]
) -> None:
    now, words = 0.0, []
    for index, (pause, length) in enumerate(spans):
        words.append((f"w{index}", now + pause / 10, now + (pause + length) / 10))
        now = words[-1][2]
    made = attributor(*before)
    lines = made.take(utterance(*words), 20.0)
    last: dict[str, TranscriptLine] = {}
    for interval in [None, *after]:
        if interval is not None:
            lines = made.spoke(interval, 21.0)
        for line in lines:
            assert line.segment not in last or line.revision > last[line.segment].revision
            last[line.segment] = line
            if interval is not None:  # killed here, it has left all words
                assert {word.text for part in last.values() for word in part.words} == {word[0] for word in words}
        parts = [last[part_name(12, index)] for index in range(len(last))]
        assert [word.text for part in parts for word in part.words] == [word[0] for word in words]
        assert " ".join(part.text for part in parts if part.text) == " ".join(word[0] for word in words)
        speaking = [part.speaker for part in parts if part.text]
        assert all(one != other for one, other in pairwise(speaking))
        assert all(part.start <= part.end for part in parts)


odd = st.sampled_from([math.nan, math.inf, -math.inf])
any_moment = st.one_of(moments, st.floats(0, 12), odd)
any_interval = st.builds(Interval, st.sampled_from("ABC"), any_moment, any_moment)


@given(st.lists(st.one_of(hints, any_interval), max_size=30), st.sampled_from([None, 1, 7]), any_moment, any_moment)
@example([Interval("A", 5, 6), Interval("B", math.nan, 7), Interval("C", 1, 2)], None, 0.5, 3)
def test_the_intervals_found_are_those_that_going_through_all_of_them_finds(
    heard: list[Interval], most: int | None, start: float, end: float
) -> None:
    """In the same order, whatever an earlier bot's events say: unordered, backwards, without end, no number."""
    made, kept = attribution._Heard(most), deque[Interval](maxlen=most)
    for interval in heard:
        made.add(interval)
        kept.append(interval)
    assert made.between(start, end) == [each for each in kept if each.start < end and start < each.end]


class Counted(float):
    """Counts how often it is compared with what is earlier."""

    compared = 0

    def __sub__(self, other: float) -> "Counted":
        return Counted(float(self) - other)

    def __gt__(self, other: float) -> bool:
        Counted.compared += 1
        return float(self) > other


def test_a_long_meeting_is_not_gone_through_for_each_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "compared", 0)
    made = Attributor(utc, lag=0.0, most_intervals=None)
    for turn in range(2000):
        made.spoke(Interval("Ann" if turn % 2 else "Bob", turn * 3, Counted(turn * 3 + 2)), 0.0)
    Counted.compared = 0
    [line] = made.take(utterance(("yes", 3000.1, 3000.9)), 0.0)
    assert line.speaker == "Bob"
    assert Counted.compared < 20
