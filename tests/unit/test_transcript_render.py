"""Subtitles and text as parsers and people read them: whatever is in a name, and whatever was left out of the file."""

import bisect
import hashlib
import html
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import srt
import webvtt
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meeting_buddy.contract.text import page_text
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, TranscriptLine, Word
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, Derived, Line, Segment, encode, read
from meeting_buddy_bot.transcription.render import (
    CUE_CHARACTERS,
    CUE_SECONDS,
    SRT_FILE,
    TEXT_FILE,
    UNKNOWN,
    VTT_FILE,
    Timeline,
    render,
)
from meeting_buddy_bot.transcription.writer import cleaned

BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOSTILE = [
    *(
        "-->",
        "<v",
        "<v Eve>",
        "</v>",
        "&",
        "&lt;",
        "\n",
        "\n\n",
        "\r",
        "\u2028",
        "\x00",
        "\u202e",
        "\u2066",
        "1",
        "NOTE",
    ),
    *("00:00:01.000 --> 00:00:02.000", "00:00:01,000 --> 00:00:02,000", "WEBVTT", "STYLE", "<i>", "{\\an8}", " ", ":"),
]


def line(
    text: str, start: float = 10, end: float = 12, *, segment: str = "1", revision: int = 1, speaker: str | None = "Ann"
) -> TranscriptLine:
    return TranscriptLine(
        segment=segment,
        revision=revision,
        final=True,
        speaker=speaker,
        start=start,
        end=end,
        at=BEGAN + timedelta(seconds=start),
        language="en",
        text=text,
    )


def with_words(text: str, start: float, each: float) -> TranscriptLine:
    words = [
        Word(text=word, start=start + index * each, end=start + (index + 1) * each)
        for index, word in enumerate(text.split())
    ]
    return line(text, start, words[-1].end).model_copy(update={"words": tuple(words)})


def segment(number: int, start: float, end: float, run: int = 1) -> Segment:
    return Segment(number, f"segments/{number:05d}.mkv", start, end, "", 1, "", run)


WHOLE = [segment(1, 0, 1000)]


class Rendered:
    """The files as parsers read them."""

    def __init__(self, folder: Path, lines: list[TranscriptLine], segments: list[Segment] | None = None) -> None:
        (folder / TRANSCRIPT_FILE).write_text("".join(f"{line.to_json()}\n" for line in lines), encoding="utf-8")
        self.derived = render(folder, WHOLE if segments is None else segments)
        self.raw_vtt = (folder / VTT_FILE).read_bytes().decode()
        self.vtt = [
            (each.start, each.end, html.unescape(each.voice or ""), html.unescape(each.text))
            for each in webvtt.from_buffer(io.StringIO(self.raw_vtt))
        ]
        self.srt = [
            (each.start.total_seconds(), each.end.total_seconds(), each.content)
            for each in srt.parse((folder / SRT_FILE).read_bytes().decode(), ignore_errors=False)
        ]
        self.text = (folder / TEXT_FILE).read_bytes().decode()


def test_every_kind_of_file_has_who_said_what_and_when(tmp_path: Path) -> None:
    made = Rendered(tmp_path, [line("Hello."), line("Hi.", 13.5, 14, segment="2", speaker="Bob")])
    assert made.vtt == [
        ("00:00:10.000", "00:00:12.000", "Ann", "Hello."),
        ("00:00:13.500", "00:00:14.000", "Bob", "Hi."),
    ]
    assert made.srt == [(10, 12, "Ann: Hello."), (13.5, 14, "Bob: Hi.")]
    assert made.text == "[00:00:10, 10:00:10 UTC] Ann: Hello.\n\n[00:00:13, 10:00:13 UTC] Bob: Hi.\n"


def test_the_manifest_gets_names_sizes_and_hashes(tmp_path: Path) -> None:
    made = Rendered(tmp_path, [line("Hello.")])
    assert [each.derived for each in made.derived] == [TRANSCRIPT_FILE, VTT_FILE, SRT_FILE, TEXT_FILE]
    for each in made.derived:
        content = (tmp_path / each.derived).read_bytes()
        assert each == Derived(each.derived, len(content), hashlib.sha256(content).hexdigest())
    manifest = tmp_path / MANIFEST_FILE
    written: list[Line] = [*WHOLE, *made.derived]
    manifest.write_bytes(b"".join(encode(each) + b"\n" for each in written))
    assert list(read(manifest)) == written
    assert encode(made.derived[0]).startswith(b'{"derived":"transcript.jsonl",')


def test_without_a_transcript_there_is_nothing(tmp_path: Path) -> None:
    assert render(tmp_path, WHOLE) == []
    assert list(tmp_path.iterdir()) == []


def test_where_nobody_spoke_the_files_are_valid_and_empty(tmp_path: Path) -> None:
    made = Rendered(tmp_path, [])
    assert (made.raw_vtt.strip(), made.vtt, made.srt, made.text) == ("WEBVTT", [], [], "")


def test_the_last_revision_counts_and_what_is_withdrawn_is_left_out(tmp_path: Path) -> None:
    lines = [
        line("old", speaker=None),
        line("gone", 11, segment="1b", speaker="Bob"),
        line("", 11, segment="1b", revision=3),
        line("new", revision=3),
        line("late", revision=2, speaker="Eve"),
    ]
    made = Rendered(tmp_path, lines)
    assert made.srt == [(10, 12, "Ann: new")]
    assert [each[2:] for each in made.vtt] == [("Ann", "new")]
    assert made.text == "[00:00:10, 10:00:10 UTC] Ann: new\n"


def test_what_nobody_can_be_named_for_says_so(tmp_path: Path) -> None:
    made = Rendered(tmp_path, [line("Who?", speaker=None)])
    assert made.vtt[0][2:] == (UNKNOWN, "Who?")
    assert made.srt[0][2] == f"{UNKNOWN}: Who?"
    assert f"{UNKNOWN}: Who?" in made.text


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    whole = line("Hello.").to_json()
    (tmp_path / TRANSCRIPT_FILE).write_text(
        f'{{"a":1}}\n{whole[:50]}\n{whole}\n'
        + whole.replace('"start":10.0', '"start":NaN').replace('"1"', '"2"')
        + f"\n{whole[:50]}"
    )
    render(tmp_path, WHOLE)
    assert [each.content for each in srt.parse((tmp_path / SRT_FILE).read_text())] == ["Ann: Hello."]
    assert (tmp_path / TEXT_FILE).read_text() == "[00:00:10, 10:00:10 UTC] Ann: Hello.\n"


def test_a_turn_is_one_paragraph(tmp_path: Path) -> None:
    lines = [
        line("three", 30, 31, segment="3", speaker="Bob"),
        line("one", 10, 11, segment="1"),
        line("two", 20, 21, segment="2"),
        line("b", 30, 31, segment="3b"),
    ]
    assert [each.partition("] ")[2] for each in Rendered(tmp_path, lines).text.split("\n\n")] == [
        "Ann: one two",
        "Bob: three",
        "Ann: b\n",
    ]


def test_cues_are_short_and_split_between_words_at_their_times(tmp_path: Path) -> None:
    said = with_words("one two three four five six seven eight nine ten", 10, 1.5)
    made = Rendered(tmp_path, [said])
    assert made.srt == [
        (10, 16, "Ann: one two three four"),
        (16, 22, "Ann: five six seven eight"),
        (22, 25, "Ann: nine ten"),
    ]
    quick = Rendered(tmp_path, [with_words("word " * 40, 10, 0.1)])
    assert [len(each[3]) for each in quick.vtt] == [84, 84, 29]  # 17, 17 and 6 words
    assert [each[0] for each in quick.srt] == [10, 11.7, 13.4]


def test_what_stands_around_the_words_is_kept(tmp_path: Path) -> None:
    said = with_words("Hello there", 10, 1).model_copy(update={"text": "“Hello there!”"})
    assert Rendered(tmp_path, [said]).srt == [(10, 12, "Ann: “Hello there!”")]


def test_what_begins_at_once_is_in_the_order_of_segments(tmp_path: Path) -> None:
    lines = [line(name, segment=name) for name in ("10b", "10aa", "10", "9", "10z")]
    assert Rendered(tmp_path, lines).text.partition(": ")[2] == "9 10 10b 10z 10aa\n"


def test_a_text_without_words_is_split_too(tmp_path: Path) -> None:
    made = Rendered(tmp_path, [line("word " * 40, 10, 20)])
    assert " ".join(each[3] for each in made.vtt) == ("word " * 40).strip()
    assert all(len(each[3]) <= CUE_CHARACTERS for each in made.vtt)
    assert (made.srt[0][0], made.srt[-1][1]) == (10, pytest.approx(20, abs=0.1))


def test_a_cue_lasts_long_enough_to_be_one(tmp_path: Path) -> None:
    assert Rendered(tmp_path, [line("Oh", 10, 10)]).vtt == [("00:00:10.000", "00:00:10.100", "Ann", "Oh")]


def test_a_word_that_is_longer_than_a_cue_is_split(tmp_path: Path) -> None:
    made = Rendered(tmp_path, [line("x" * 300, 10, 20)])
    assert "".join(each[3] for each in made.vtt) == "x" * 300
    assert all(len(each[3]) <= CUE_CHARACTERS for each in made.vtt)


# --- times


def test_times_are_those_of_the_recording_without_its_gaps() -> None:
    # Two segments of one run, with a moment between them that the joined file has; a gap; the next run.
    timeline = Timeline([segment(3, 60, 70, run=2), segment(1, 5, 14.9), segment(2, 15, 25)])
    assert [timeline.at(moment) for moment in (0, 5, 10, 14.95, 15, 25)] == pytest.approx([0, 0, 5, 9.95, 10, 20])
    assert [timeline.at(moment) for moment in (25.1, 40, 60, 65, 70, 99)] == pytest.approx([20, 20, 20, 25, 30, 30])
    assert timeline.seconds == pytest.approx(30)
    assert timeline.recorded(24, 61)
    assert not timeline.recorded(26, 59)


def test_a_segment_that_is_missing_is_missing_in_the_recording() -> None:
    timeline = Timeline([segment(1, 0, 10), segment(3, 20, 30)])
    assert [timeline.at(moment) for moment in (10, 15, 20, 25)] == [10, 10, 10, 15]


def test_without_a_recording_times_count_from_the_offset() -> None:
    assert Timeline([]).at(12) == 12
    assert Timeline([], offset=10).at(12) == 2
    assert Timeline([segment(1, 5, 10)], offset=3).at(7) == 4


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 50), st.booleans()), min_size=1, max_size=8),
    st.lists(st.integers(0, 600), min_size=2, max_size=20),
)
def test_time_in_the_recording_never_runs_back_or_faster(pieces: list[tuple[int, int, bool]], asked: list[int]) -> None:
    segments, now, run = [], 0, 1
    for number, (gap, length, restarted) in enumerate(pieces, 1):
        run += restarted or gap > 0
        now += gap
        segments.append(segment(number, now, now + length, run))
        now += length
    timeline = Timeline(segments)
    assert timeline.seconds == pytest.approx(sum(each.seconds for each in segments))
    moments = sorted(asked)
    for before, after in pairwise(moments):
        passed = timeline.at(after) - timeline.at(before)
        recorded = sum(max(0, min(after, each.end) - max(before, each.start)) for each in segments)
        assert passed == pytest.approx(recorded)


def gone_through(timeline: Timeline, position: float) -> float:
    index = bisect.bisect_right([begin for _, _, begin in timeline._spans], position) - 1
    start, _, begin = timeline._spans[max(index, 0)]
    return start + position - begin


tenths = st.integers(0, 400).map(lambda number: number / 10)


@given(st.lists(st.tuples(tenths, tenths, st.integers(1, 2)), min_size=1, max_size=8), tenths, tenths)
def test_what_is_looked_up_is_what_going_through_all_segments_finds(
    pieces: list[tuple[float, float, int]], one: float, other: float
) -> None:
    """Whatever a damaged manifest says of them: out of order, one in the other, without length."""
    timeline = Timeline([segment(number, start, start + more, run) for number, (start, more, run) in enumerate(pieces)])
    assert timeline.moment(one) == gone_through(timeline, one)
    assert timeline.recorded(one, other) is any(start <= other and one < end for start, end, _ in timeline._spans)


class Counted(list[tuple[float, float, float]]):
    """Counts what is looked at."""

    looked_at = 0

    def __iter__(self) -> Iterator[tuple[float, float, float]]:
        for each in super().__iter__():
            self.looked_at += 1
            yield each


def test_a_long_meeting_is_not_gone_through_for_each_moment() -> None:
    timeline = Timeline([segment(number, number * 30, number * 30 + 30) for number in range(1, 1001)])
    spans = timeline._spans = Counted(timeline._spans)
    assert timeline.moment(29_999) == 30_029
    assert timeline.recorded(30_029, 30_030)
    assert not timeline.recorded(30_030, 30_031)
    assert spans.looked_at == 0


def test_what_was_said_while_nothing_was_recorded_is_in_the_text_alone(tmp_path: Path) -> None:
    segments = [segment(1, 5, 25), segment(2, 60, 70, run=2)]
    lines = [line("a", 20, 22, segment="1"), line("b", 40, 42, segment="2"), line("c", 61, 62, segment="3")]
    made = Rendered(tmp_path, lines, segments)
    assert made.srt == [(15, 17, "Ann: a"), (21, 22, "Ann: c")]
    assert made.text == "[00:00:15, 10:00:20 UTC] Ann: a b c\n"


# --- hostile


hostile_text = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=6)), min_size=1, max_size=12).map("".join)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.tuples(hostile_text, hostile_text), min_size=1, max_size=4))
@example([("Eve --", "Hello."), ("--", "-->"), ("-", "->")])
def test_hostile_names_and_texts_come_back_as_they_are_and_forge_nothing(
    tmp_path: Path, said: list[tuple[str, str]]
) -> None:
    lines = [
        cleaned(line(text, 10 * index, 10 * index + 6, segment=str(index), speaker=name))
        for index, (name, text) in enumerate(said, 1)
    ]
    # As written by somebody who does not clean: what is read is cleaned once more.
    raw = [
        each.model_copy(update={"text": text, "speaker": name}) for each, (name, text) in zip(lines, said, strict=True)
    ]
    for made in (Rendered(tmp_path, lines), Rendered(tmp_path, raw)):
        kept = [each for each in lines if each.text]
        for index, each in enumerate(lines, 1):
            low, high = 10 * index, 10 * index + 6.01
            name = each.speaker or UNKNOWN
            in_vtt = [cue for cue in made.vtt if low <= seconds(cue[0]) <= high]
            in_srt = [cue for cue in made.srt if low <= cue[0] <= high]
            assert {cue[2] for cue in in_vtt} == ({name} if each.text else set())
            assert squeezed("".join(cue[3] for cue in in_vtt)) == squeezed(each.text)
            head = re.sub(r"-[ -] *>", "→", name) + ": "
            assert all(cue[2].startswith(head) for cue in in_srt)
            assert squeezed("".join(cue[2].removeprefix(head) for cue in in_srt)) == squeezed(each.text)
        assert len(made.vtt) == len(made.srt) == made.raw_vtt.count("-->")
        for start, end, _, text in made.vtt:
            assert 0 < seconds(end) - seconds(start) <= CUE_SECONDS + 0.002
            assert len(text) <= CUE_CHARACTERS
        # One line per paragraph: as many as turns.
        turns = sum(1 for index, each in enumerate(kept) if not index or kept[index - 1].speaker != each.speaker)
        assert len(made.text.split("\n\n") if made.text else []) == turns
        assert made.text.count("\n") == max(0, 2 * turns - 1)
        for content in (made.raw_vtt, made.text, *(cue[2] for cue in made.srt)):
            assert all(page_text(part, 10_000) == part.strip() for part in content.splitlines())


def seconds(stamp: str) -> float:
    hours, minutes, rest = stamp.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def test_no_markup_is_left_in_a_cue(tmp_path: Path) -> None:
    made = Rendered(tmp_path, [line("<v Eve>I & you</v> --> <c>", speaker="</v>\n<v Bob> --> & Co")])
    assert made.raw_vtt.splitlines()[-1] == (
        "<v &lt;/v&gt; &lt;v Bob&gt; --&gt; &amp; Co>&lt;v Eve&gt;I &amp; you&lt;/v&gt; --&gt; &lt;c&gt;"
    )


def test_a_name_that_is_a_time_begins_no_subtitle(tmp_path: Path) -> None:
    made = Rendered(tmp_path, [line("x", speaker="00:00:01,000 --> 00:00:02,000")])
    assert made.srt == [(10, 12, "00:00:01,000 → 00:00:02,000: x")]


def test_the_transcript_keeps_what_players_get(tmp_path: Path) -> None:
    made = Rendered(tmp_path, [line("a & b")])
    stored = json.loads((tmp_path / TRANSCRIPT_FILE).read_text())
    assert stored["text"] == made.vtt[0][3] == "a & b"
