"""What two decodings agree on stays, whatever comes later."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy_bot.transcription.agreement import Agreed, LocalAgreement, words


def committed(agreed: Agreed) -> str:
    return agreed.text[: agreed.committed]


def fed(*decodings: str) -> Agreed:
    agreement = LocalAgreement()
    return [agreement.update(text) for text in decodings][-1]


def test_the_first_decoding_commits_nothing() -> None:
    assert fed("ask not what your country") == Agreed("ask not what your country", 0)


def test_what_the_second_repeats_is_committed_except_its_last_word() -> None:
    assert committed(fed("ask not what your", "Ask not, what your country")) == "Ask not, what your"
    assert committed(fed("ask not what", "ask not what")) == "ask not"


def test_a_decoding_that_differs_commits_up_to_the_difference() -> None:
    agreed = fed("ask not what your", "ask not watch your country")
    assert agreed.text == "ask not watch your country"
    assert committed(agreed) == "ask not"


def test_a_contradiction_of_the_committed_text_changes_only_the_tail() -> None:
    agreed = fed("ask not what your", "ask not what your country", "bask not what your country can do")
    assert agreed.text == "ask not what your country can do"


def test_a_word_more_or_less_in_the_committed_text_repeats_and_loses_nothing() -> None:
    more = fed("we cannot ask what you", "we cannot ask what you can", "we can not ask what you can do now")
    assert more.text == "we cannot ask what you can do now"
    less = fed("we can not ask what you", "we can not ask what you can", "we cannot ask what you can do now")
    assert less.text == "we can not ask what you can do now"


def test_a_decoding_that_has_become_shorter_keeps_the_committed_text() -> None:
    assert fed("one two three four", "one two three four five", "one two").text == "one two three four"


def test_languages_without_blanks_are_committed_by_character() -> None:
    agreed = fed("今日は天気", "今日は天気がいい")
    assert agreed.text == "今日は天気がいい"
    assert committed(agreed) == "今日は天気"


def test_nothing_said_is_nothing() -> None:
    assert fed("", "  ") == Agreed("", 0)


@given(st.text(alphabet="ab .,今日", max_size=30))
def test_the_words_of_a_text_are_the_text(text: str) -> None:
    assert "".join(words(text)) == text.strip()


@given(st.lists(st.lists(st.sampled_from(["ask", "not", "what", "your", "can", "do", "国"]), max_size=8), max_size=8))
def test_a_committed_prefix_never_changes(decodings: list[list[str]]) -> None:
    agreement, before = LocalAgreement(), ""
    for decoding in decodings:
        agreed = agreement.update(" ".join(decoding))
        assert committed(agreed).startswith(before)
        assert len(committed(agreed)) == agreed.committed
        before = committed(agreed)
