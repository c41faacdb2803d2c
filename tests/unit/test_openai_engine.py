"""The engine that asks a server: what it sends, what it makes of answers, and of all that can go wrong on the way.

The server is real, on loopback, with a decoder that says what the test wrote; no model is needed.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meeting_buddy.contract.assignment import TranscriptionConfig, TranscriptionServer
from meeting_buddy.contract.languages import WHISPER
from meeting_buddy_bot.transcription import engines, openai_answer, openai_engine
from meeting_buddy_bot.transcription.engine import LOOPING, Decoding, EngineError, TimedWord, repetition
from meeting_buddy_bot.transcription.messages import UNKNOWN_LANGUAGE, TranscriberConfig
from meeting_buddy_bot.transcription.openai_answer import CODES, AnswerError, decoding
from meeting_buddy_bot.transcription.openai_engine import (
    ATTEMPTS,
    IDLE_SECONDS,
    LONGEST_SILENCE,
    MAX_VOCABULARY,
    MAX_WORDS,
    OpenAIEngine,
)
from tests.local.machine.certificates import Authority, Subject
from tests.local.media.sound import RATE, Samples
from tests.local.media.speech_server import Answer, Fault, Request, SpeechServer
from tests.support.machine_wide import free_port

KEY = "sk-test-4f9Zx7Qp2LmW8aBc"
SECOND = np.full(RATE, 0.25, np.float32)
OTHER = np.where(np.arange(RATE) % 2, SECOND, -SECOND)
"""Of another segment."""
ANSWER: Answer = {
    "task": "transcribe",
    "language": "english",
    "duration": 1.0,
    "text": " Ask not.",
    "segments": [{"id": 0, "avg_logprob": -0.2, "no_speech_prob": 0.1, "compression_ratio": 0.9}],
    "words": [{"word": "Ask", "start": 0.1, "end": 0.4}, {"word": "not", "start": 0.4, "end": 0.9}],
}


def says(samples: Samples, request: Request) -> Answer:
    assert samples.max() == pytest.approx(0.25, abs=1e-3)
    return dict(ANSWER)


class Pauses:
    """A clock that stands still but for the pauses."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.ahead = 0.0

    def now(self) -> float:
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.taken.append(round(seconds, 1))
        self.ahead += seconds


@pytest.fixture
def server() -> Iterator[SpeechServer]:
    with SpeechServer(says, key=KEY) as found:
        yield found


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    return path


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


Make = Callable[..., OpenAIEngine]


@pytest.fixture
def make(server: SpeechServer, key_file: Path, pauses: Pauses) -> Make:
    """An engine; fields of its configuration can be given."""

    def engine(**fields: Any) -> OpenAIEngine:
        given = {"base_url": server.url, "key_file": str(key_file), "model": "whisper-1", "language": "en", **fields}
        return OpenAIEngine(TranscriberConfig(engine="openai", **given), now=pauses.now, sleep=pauses.sleep)

    return engine


def final(engine: OpenAIEngine, prompt: str | None = None, sound: Samples = SECOND) -> Decoding:
    return engine.transcribe(sound, final=True, prompt=prompt)


def partial(engine: OpenAIEngine) -> Decoding:
    return engine.transcribe(SECOND, final=False, prompt=None)


def failure(engine: OpenAIEngine, ask: Callable[[OpenAIEngine], Decoding] = final) -> EngineError:
    with pytest.raises(EngineError) as raised:
        ask(engine)
    message = str(raised.value)
    assert KEY.lower() not in message.lower()
    assert message.isprintable()
    assert len(message) < MAX_WORDS + 350
    return raised.value


class TestWhatIsAskedAndAnswered:
    def test_a_final_has_its_words_and_how_sure_the_model_is(self, make: Make, server: SpeechServer) -> None:
        assert final(make()) == Decoding(
            "Ask not.",
            "en",
            (TimedWord("Ask", 0.1, 0.4), TimedWord("not", 0.4, 0.9)),
            no_speech_probability=0.1,
            average_logprob=-0.2,
            compression_ratio=repetition("Ask not."),
        )
        [asked] = server.requests
        assert asked.key == KEY
        assert asked.seconds == 1
        assert "word" in asked.granularities
        fixed = {"model": "whisper-1", "language": "en", "response_format": "verbose_json", "temperature": "0"}
        assert asked.fields.items() >= fixed.items()
        assert "prompt" not in asked.fields

    def test_a_partial_text_asks_for_no_times_of_words(self, make: Make, server: SpeechServer) -> None:
        assert partial(make()).words == ()
        [asked] = server.requests
        assert asked.fields["response_format"] == "verbose_json"
        assert asked.granularities == ()

    @pytest.mark.parametrize(("language", "sent"), [("auto", None), ("de", "de"), ("pt-BR", "pt")])
    def test_the_language_is_asked_for_unless_it_is_to_be_found(
        self, make: Make, server: SpeechServer, language: str, sent: str | None
    ) -> None:
        partial(make(language=language))
        assert server.requests[0].fields.get("language") == sent

    def test_the_vocabulary_and_the_sentence_so_far_go_along_as_far_as_they_fit(
        self, make: Make, server: SpeechServer
    ) -> None:
        final(make(vocabulary=("Lovelace", "Kopf")), prompt="and so my fellow")
        assert server.requests[-1].fields["prompt"] == "Lovelace, Kopf. and so my fellow"
        final(make(vocabulary=tuple(f"word{n}" for n in range(1000))), prompt="x" * 5000 + "end")
        prompt = server.requests[-1].fields["prompt"]
        assert prompt.startswith("word0, word1")
        assert prompt.endswith("end")
        assert len(prompt) <= MAX_VOCABULARY + openai_engine.MAX_BEFORE + 2

    def test_the_key_is_read_each_time_and_may_be_absent(
        self, make: Make, server: SpeechServer, key_file: Path
    ) -> None:
        engine, server.key = make(), None
        for written, sent in ((KEY, KEY), ("another-key\r\n", "another-key"), (" \n", None)):
            key_file.write_text(written)
            final(engine)
            assert server.requests[-1].key == sent
        key_file.unlink()
        final(engine)
        assert server.requests[-1].key is None
        final(make(key_file=None))
        assert server.requests[-1].key is None

    @pytest.mark.parametrize("refused", [Fault.NO_WORDS, Fault.NO_VERBOSE])
    def test_what_a_server_does_not_give_is_not_asked_for_again(
        self, make: Make, server: SpeechServer, refused: Fault
    ) -> None:
        engine = make()
        server.fail(refused)
        assert final(engine).text == "Ask not."
        assert final(engine, sound=OTHER).text == "Ask not."
        before = len(server.requests)
        assert final(engine).text == "Ask not."
        assert partial(engine).text == "Ask not."
        again = [each.fields["response_format"] for each in server.requests[before:]]
        assert again == ["json" if refused is Fault.NO_VERBOSE else "verbose_json"] * 2

    def test_one_segment_that_a_server_refuses_in_a_form_costs_the_meeting_nothing(
        self, make: Make, server: SpeechServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        engine = make()
        for sound in (SECOND, OTHER):
            server.fail(Fault.NO_WORDS)
            for loudness in (0.5, 1.0):  # the same one, as it grows
                longer = np.concatenate((sound * loudness, SECOND))
                assert final(engine, sound=longer).words == ()
            server.fail(None)
            assert final(engine).words
        assert not caplog.records
        server.fail(Fault.NO_WORDS)
        for sound in (SECOND, OTHER, SECOND):
            assert final(engine, sound=sound).text == "Ask not."
        assert [each.getMessage().partition(" does not ")[2] for each in caplog.records] == [
            "give words and their times: that is not asked for any more"
        ]

    def test_a_connection_is_kept_while_somebody_speaks_and_not_used_again_after_a_pause(
        self, make: Make, server: SpeechServer, pauses: Pauses
    ) -> None:
        engine = make()
        for pause in (0.0, IDLE_SECONDS - 1, IDLE_SECONDS + 1):
            pauses.ahead += pause
            partial(engine)
        first, second, third = (each.connection for each in server.requests)
        assert first == second != third

    def test_a_server_that_comes_back_is_found(self, make: Make, server: SpeechServer, pauses: Pauses) -> None:
        engine = make()
        final(engine)
        server.stop()
        assert "takes no connection" in str(failure(engine, partial))
        server.start()
        assert final(engine).text == "Ask not."
        assert not pauses.taken


class TestFailures:
    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            (
                Fault.UNAUTHORIZED,
                ("answered 401", "API key provided: [redacted]", "check the key in the Sec"),
            ),
            (Fault.ECHO, ("answered 500", "[redacted]", "see its log")),
            (Fault.BROKEN, ("answered 500 (The server had an error)",)),
            (Fault.BAD_GATEWAY, ("answered 502 (502 Bad Gateway)",)),
            (Fault.NOT_FOUND, ("answered 404 (Not Found)", "ends in /v1 as a rule, and its model")),
            (Fault.ELSEWHERE, ("answered 307", "points elsewhere")),
            (Fault.GARBAGE, ("is not JSON", "url")),
            (Fault.NO_TEXT, ("has no usable text",)),
            (Fault.CUT, ("cut the connection",)),
            (Fault.CUT_SHORT, ("cut the connection",)),
            (Fault.HUGE, ("more than 1 MiB",)),
        ],
    )
    @pytest.mark.parametrize("ask", [final, partial])
    def test_it_is_told_with_a_remedy_and_without_the_key(
        self,
        make: Make,
        server: SpeechServer,
        fault: Fault,
        words: tuple[str, ...],
        ask: Callable[[OpenAIEngine], Decoding],
    ) -> None:
        server.fail(fault)
        error = failure(make(), ask)
        assert error.reason == "ServerFailed"
        assert str(error).partition(":")[0] in (
            "the transcription server http",
            "the answer of the transcription server http",
        )
        for each in words:
            assert each in str(error)
        spelled = "".join(f"\\u{ord(each):04x}" for each in KEY)
        assert spelled not in str(error)
        server.fail(None)
        assert final(make()).text == "Ask not."

    def test_a_server_that_wants_a_key_where_there_is_none(self, make: Make, key_file: Path) -> None:
        key_file.unlink()
        assert "name the Secret with its key in the bot class's transcription.server.keySecret" in str(failure(make()))

    @pytest.mark.parametrize("content", [b"two keys", b"a\nb", b"caf\xc3\xa9", b"\xff\xfe", b"a\x00b"])
    def test_a_key_that_no_header_takes_is_told_and_not_quoted(
        self, make: Make, server: SpeechServer, key_file: Path, content: bytes
    ) -> None:
        key_file.write_bytes(content)
        error = failure(make())
        assert "the key in the Secret of the bot class's transcription.server.keySecret" in str(error)
        assert content.decode(errors="replace") not in str(error)
        assert not server.requests

    def test_a_key_too_short_to_be_kept_out_of_texts_is_not_sent(
        self, make: Make, server: SpeechServer, key_file: Path
    ) -> None:
        key_file.write_text("abc")
        with pytest.raises(EngineError, match="shorter than 8 characters"):
            final(make())
        assert not server.requests

    def test_a_key_file_that_is_no_file(self, make: Make, tmp_path: Path) -> None:
        assert "cannot be read: Is a directory" in str(failure(make(key_file=str(tmp_path))))

    @pytest.mark.parametrize("fault", [Fault.WRONG_LANGUAGE, Fault.BAD_LANGUAGE_FIELD])
    def test_a_language_that_the_server_plainly_refuses(self, make: Make, server: SpeechServer, fault: Fault) -> None:
        server.fail(fault)
        error = failure(make(language="cy"))
        assert error.reason == "LanguageNotSupported"
        assert "choose another language than cy" in str(error)
        assert len(server.requests) == 1
        assert failure(make(language="auto")).reason == "ServerFailed"

    @pytest.mark.parametrize("url", ["http://speech.invalid/v1", "http://127.0.0.1:99999/v1", "http://a..b/v1"])
    def test_an_address_where_nothing_is(self, make: Make, url: str) -> None:
        assert "check url of the bot class's transcription.server" in str(failure(make(base_url=url), partial))

    def test_http_where_the_url_says_https(self, make: Make, server: SpeechServer) -> None:
        assert "cannot be trusted" in str(failure(make(base_url=server.url.replace("http:", "https:")), partial))

    def test_a_certificate_of_the_companys_own_authority(self, make: Make, tmp_path: Path) -> None:
        authority = Authority.ensure(tmp_path / "ca", "Company authority")
        pair = authority.issue("speech", Subject("speech", addresses=("127.0.0.1",)))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        trusted = tmp_path / "trusted"
        trusted.mkdir()
        (trusted / "company.crt").write_bytes(authority.certificate.read_bytes())
        with SpeechServer(says, key=KEY, tls=context) as company:
            assert "cannot be trusted" in str(failure(make(base_url=company.url), partial))
            assert partial(make(base_url=company.url, ca_folder=str(trusted))).text == "Ask not."
        (trusted / "company.crt").write_text("nothing of the kind")
        with pytest.raises(EngineError, match="check extraCa"):
            make(ca_folder=str(trusted))

    def test_whoever_configures_no_server(self, make: Make) -> None:
        with pytest.raises(EngineError, match="no server"):
            make(base_url=None)

    def test_fields_of_another_type_count_as_missing(self, make: Make, server: SpeechServer) -> None:
        server.fail(Fault.WRONG_TYPES)
        assert final(make()) == Decoding("Ask not.", "en", compression_ratio=repetition("Ask not."))


class TestTime:
    """How often is asked, and for how long."""

    @pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.CUT, Fault.CUT_SHORT])
    def test_a_final_is_asked_for_three_times_and_a_partial_text_once(
        self, make: Make, server: SpeechServer, pauses: Pauses, fault: Fault
    ) -> None:
        server.fail(fault, times=2)
        assert final(make()).text == "Ask not."
        assert len(server.requests) == 3
        assert pauses.taken == [0.5, 2.0]
        server.requests.clear()
        server.fail(fault)
        failure(make())
        assert len(server.requests) == 3
        failure(make(), partial)
        assert len(server.requests) == 4

    @pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.NOT_FOUND, Fault.ELSEWHERE, Fault.GARBAGE])
    def test_what_another_attempt_does_not_mend_is_asked_once(
        self, make: Make, server: SpeechServer, fault: Fault
    ) -> None:
        server.fail(fault)
        failure(make())
        assert len(server.requests) == 1

    def test_the_time_that_the_server_names_is_kept(self, make: Make, server: SpeechServer, pauses: Pauses) -> None:
        server.retry_after = "7"
        server.fail(Fault.LIMITED, times=1)
        assert final(make()).text == "Ask not."
        assert pauses.taken == [7.0]

    def test_until_then_partial_texts_are_not_asked_for(self, make: Make, server: SpeechServer, pauses: Pauses) -> None:
        server.retry_after = "7"
        server.fail(Fault.LIMITED, times=1)
        engine = make()
        first, second = failure(engine, partial), failure(engine, partial)
        assert first.kind == second.kind == "429"
        assert len(server.requests) == 1
        pauses.ahead += 7
        assert partial(engine).text == "Ask not."

    @pytest.mark.parametrize(("named", "silent"), [("30", 30), ("86400", 60), ("nonsense", 0), ("-5", 0)])
    def test_a_long_time_costs_finals_but_never_more_than_a_minute(
        self, make: Make, server: SpeechServer, pauses: Pauses, named: str, silent: int
    ) -> None:
        server.retry_after = named
        server.fail(Fault.LIMITED, times=3)
        engine = make()
        failure(engine)
        assert len(server.requests) == (1 if silent else 3)
        server.fail(None)
        if silent:
            pauses.ahead += silent - 15
            failure(engine)
            assert len(server.requests) == 1
            pauses.ahead += 10
        assert final(engine).text == "Ask not."
        assert sum(pauses.taken) < 10

    @pytest.mark.parametrize("named", ["9" * 400, "9" * 5000, "Wed, 21 Oct 99999 07:28:00 GMT"])
    def test_a_time_that_is_none_is_as_if_the_server_named_none(
        self, make: Make, server: SpeechServer, pauses: Pauses, named: str
    ) -> None:
        server.retry_after = named
        server.fail(Fault.LIMITED)
        assert failure(make()).kind == "429"
        assert sum(pauses.taken) <= LONGEST_SILENCE

    @pytest.mark.parametrize(("took", "attempts"), [(30, 2), (52, 1)])
    def test_another_attempt_is_made_when_time_is_left_for_it_after_the_pause(
        self,
        make: Make,
        server: SpeechServer,
        pauses: Pauses,
        monkeypatch: pytest.MonkeyPatch,
        took: float,
        attempts: int,
    ) -> None:
        engine = make()
        post = engine._post

        def slowly(*given: Any) -> Any:
            found = post(*given)
            pauses.ahead += took if len(server.requests) == 1 else 0
            return found

        monkeypatch.setattr(engine, "_post", slowly)
        server.retry_after = "9"
        server.fail(Fault.LIMITED, times=1)
        if attempts == 1:
            assert failure(engine).kind == "429"
        else:
            assert final(engine).text == "Ask not."
        assert len(server.requests) == attempts

    @pytest.mark.parametrize("fault", [Fault.SLOW, Fault.DRIPS])
    def test_a_slow_server_holds_up_nobody_for_ever(
        self, make: Make, server: SpeechServer, monkeypatch: pytest.MonkeyPatch, fault: Fault
    ) -> None:
        monkeypatch.setattr(openai_engine, "FINAL_SECONDS", 0.5)
        monkeypatch.setattr(openai_engine, "PARTIAL_SECONDS", 0.5)
        server.fail(fault)
        engine = make()
        for ask in (final, partial):
            began = time.monotonic()
            assert "did not answer in time" in str(failure(engine, ask))
            assert time.monotonic() - began < 30
        assert len(server.requests) == 2
        server.fail(None)
        monkeypatch.undo()
        assert final(engine).text == "Ask not."

    def test_a_handshake_that_is_cut_off_is_tried_again(self, make: Make) -> None:
        """As by a balancer without a server behind it; a certificate that nobody trusts stays as it is."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            taken: list[int] = []

            def close_all() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listening.accept()
                        taken.append(len(connection.recv(4096)))
                        connection.close()

            threading.Thread(target=close_all, daemon=True).start()
            error = failure(make(base_url=f"https://127.0.0.1:{listening.getsockname()[1]}/v1"))
        assert "cut the connection" in str(error)
        assert len(taken) == ATTEMPTS

    @pytest.mark.parametrize(
        ("fault", "passes"),
        [
            (Fault.LIMITED, True),
            (Fault.BAD_GATEWAY, True),
            (Fault.CUT, True),
            (Fault.BROKEN, False),
            (Fault.UNAUTHORIZED, False),
            (Fault.GARBAGE, False),
        ],
    )
    def test_what_may_be_over_in_a_while(self, make: Make, server: SpeechServer, fault: Fault, passes: bool) -> None:
        server.fail(fault)
        assert failure(make()).passes == passes

    def test_a_server_that_is_started_again_may_be_back_in_a_while(self, make: Make, server: SpeechServer) -> None:
        server.stop()
        assert failure(make()).passes

    def test_a_port_that_takes_connections_and_says_nothing(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(openai_engine, "PARTIAL_SECONDS", 0.3)
        port = free_port()
        with socket.create_server(("127.0.0.1", port)):
            error = failure(make(base_url=f"http://127.0.0.1:{port}/v1"), partial)
        assert "did not answer in time" in str(error)


def words_of(*segments: list[str]) -> list[str]:
    times = [{"words": [{"word": each, "start": 0, "end": 1} for each in pieces]} for pieces in segments]
    return [each.text for each in decoding(json.dumps({"text": "a", "segments": times}).encode(), "en").words]


class TestAnswers:
    """JSON to a decoding, without a server."""

    def test_there_is_a_name_for_each_of_whispers_codes(self) -> None:
        assert set(CODES.values()) == WHISPER

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ('"en"', "en"),
            ('"English"', "en"),
            ('"en-US"', "en"),
            ('"haitian creole"', "ht"),
            ('"Klingon"', UNKNOWN_LANGUAGE),
            ("null", UNKNOWN_LANGUAGE),
            ("[]", UNKNOWN_LANGUAGE),
        ],
    )
    def test_languages_have_codes_or_names(self, said: str, code: str) -> None:
        assert decoding(f'{{"text": "a", "language": {said}}}'.encode(), None).language == code

    def test_a_language_that_was_asked_for_is_the_texts_unless_the_server_knows_better(self) -> None:
        assert decoding(b'{"text": "a"}', "de").language == "de"
        assert decoding(b'{"text": "a", "language": "french"}', "de").language == "fr"

    def test_words_inside_segments_count_too(self) -> None:
        word = '{"word": " Hi", "start": -0.1, "end": 0.2, "probability": 0.9}'
        content = f'{{"text": "Hi you", "segments": [{{"words": [{word}]}}, {{}}]}}'
        assert decoding(content.encode(), "en").words == (TimedWord("Hi", 0.0, 0.2, 0.9),)

    @pytest.mark.parametrize(
        ("pieces", "words"),
        [
            ([" Thank", " you", ".", " Under", "stand", "able"], ["Thank", "you.", "Understandable"]),
            (["Hi", " there", "!"], ["Hi", "there!"]),
            (["Ask", "not"], ["Ask", "not"]),
            (["我们", "起来"], ["我们", "起来"]),
            (["OK", " 我", "们"], ["OK", "我", "们"]),
        ],
        ids=["pieces", "the first without a blank", "words", "a script without blanks", "both"],
    )
    def test_pieces_of_words_are_put_together(self, pieces: list[str], words: list[str]) -> None:
        times = [{"word": each, "start": n, "end": n + 1, "probability": 1 - n / 10} for n, each in enumerate(pieces)]
        content = json.dumps({"text": "".join(pieces), "segments": [{"words": times}]})
        found = decoding(content.encode(), "en").words
        assert [each.text for each in found] == words
        ends = [each.end for each in found]
        assert [each.start for each in found] == [0, *ends[:-1]]
        assert [each.probability for each in found] == pytest.approx([1 - (end - 1) / 10 for end in ends])

    def test_a_blank_may_be_a_piece_of_its_own(self) -> None:
        assert words_of([" It", " costs", " ", "€", "5", " now"]) == ["It", "costs", "€5", "now"]

    def test_a_segment_begins_with_a_word_unless_it_begins_with_a_full_stop(self) -> None:
        said = words_of(["Hello", " big", " world"], [".", " So"], ["good", " day"], ["¿", "Qué", "?"])
        assert said == ["Hello", "big", "world.", "So", "good", "day", "¿Qué?"]

    @pytest.mark.parametrize("segment", ["{}", '{"words": [{"word": "a", "start": 0, "end": 0}]}'])
    def test_more_segments_than_anybody_speaks_count_as_missing(self, segment: str) -> None:
        for count, known in ((100, 0.5), (50_000, 0.0)):
            listed = ",".join(['{"no_speech_prob": 0.5}', *[segment] * count])
            found = decoding(f'{{"text": "Hi", "segments": [{listed}]}}'.encode(), "en")
            assert (found.text, found.no_speech_probability) == ("Hi", known)
            assert len(found.words) <= openai_answer.MAX_WORDS

    @pytest.mark.parametrize("time", ["NaN", "1e999", '"soon"', "null"])
    def test_times_that_are_none_cost_the_words_and_not_the_text(self, time: str) -> None:
        content = f'{{"text": "Hi", "words": [{{"word": "Hi", "start": 0, "end": {time}}}]}}'
        found = decoding(content.encode(), "en")
        assert (found.text, found.words) == ("Hi", ())

    def test_a_text_that_runs_in_circles_shows_without_the_servers_word_for_it(self) -> None:
        looping = "thank you very much " * 30
        assert decoding(f'{{"text": "{looping}"}}'.encode(), "en").compression_ratio > LOOPING

    def test_a_word_of_any_length_takes_little_room(self) -> None:
        words = [{"word": "x" * 5000, "start": 0, "end": 1}] * 500
        found = decoding(json.dumps({"text": "x", "words": words}).encode(), "en")
        assert sum(len(word.text) for word in found.words) <= 500 * 100

    def test_text_is_one_clean_line(self) -> None:
        assert decoding(b'{"text": "a\\u0000b\\r\\n\\u202ec"}', "en").text == "ab c"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is not JSON"),
            (b"[" * 5000, "is not JSON"),
            (b"[]", "is not a JSON object"),
            (b"{}", "has no usable text"),
            (b'{"text": null}', "has no usable text"),
            (b'{"text": {"a": "secret"}}', "has no usable text"),
        ],
    )
    def test_what_is_no_answer(self, content: bytes, words: str) -> None:
        with pytest.raises(AnswerError) as raised:
            decoding(content, "en")
        assert str(raised.value) == words


class TestConfiguration:
    """From the assignment to the process."""

    def test_a_server_takes_the_models_place(self, tmp_path: Path) -> None:
        given = TranscriptionConfig(
            model="/models/whisper", server=TranscriptionServer(url="https://speech.example/v1", model="large-v3")
        )
        found = TranscriberConfig.of(given, tmp_path / "key")
        assert (found.engine, found.base_url, found.model) == ("openai", "https://speech.example/v1", "large-v3")
        assert found.key_file == str(tmp_path / "key")
        engine = engines.build(found)
        assert (engine.name, engine.model, engine.languages) == ("openai", "large-v3", frozenset())

    def test_without_a_server_no_key_is_looked_for(self, tmp_path: Path) -> None:
        found = TranscriberConfig.of(TranscriptionConfig(model="/models/whisper"), tmp_path / "key")
        assert (found.engine, found.model, found.base_url, found.key_file) == (
            "faster-whisper",
            "/models/whisper",
            None,
            None,
        )


class TestWhatAServerQuotes:
    """What was said in the meeting stays out of a failure's words, which reach the session's status."""

    @pytest.mark.parametrize(
        ("content", "shown"),
        [
            ({"error": {"message": "prompt 'We will dismiss Mr. Smith' is too long"}}, ""),
            ({"error": {"message": "unknown word: MEETING, buddy (Kubernetes)"}}, ""),
            ({"error": {"type": "too_long", "input": "gehört: über dismiss, Mr. Smith"}}, ""),
            ({"detail": [{"type": "too_long", "loc": ["body", "prompt"], "input": "dismiss Mr. Smith"}]}, ""),
            ({"detail": [{"loc": ["body", "model"], "input": "x", "msg": "no such model"}]}, " (no such model)"),
            ({"error": {"message": "the prompt of Mr. Smith is too long"}}, " (the prompt of Mr. Smith is too long)"),
        ],
    )
    def test_it_is_left_out(self, make: Make, content: dict[str, Any], shown: str) -> None:
        told = ("Meeting Buddy, Kubernetes, Lovelace.", "and on Friday we will dismiss Mr. Smith")
        error = make()._refusal(400, json.dumps(content).encode(), "", None, told)
        assert error.cause.partition(" answered 400")[2] == shown

    def test_a_sentence_without_blanks_is_known_too(self, make: Make) -> None:
        content = json.dumps({"error": {"message": "prompt '史密斯先生' too long"}}).encode()
        assert make()._refusal(400, content, "", None, ("", "我们要解雇史密斯先生")).cause.endswith("answered 400")

    def test_what_is_asked_is_what_is_left_out(self, make: Make, server: SpeechServer) -> None:
        server.fail(Fault.BROKEN)
        error = failure(make(), lambda engine: final(engine, "they said the server had an error"))
        assert "answered 500:" in str(error)
        server.fail(None)
