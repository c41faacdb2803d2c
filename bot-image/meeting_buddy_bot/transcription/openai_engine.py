"""Whisper, or another model, on a server with OpenAI's ``POST /v1/audio/transcriptions``.

The sound of each segment goes there as WAV: while it is open about once a second, for text that is replaced, and as a
whole in each of its pauses, the last of which is its end. Nothing else of the meeting does, but the session's
vocabulary and a sentence's beginning.

The server's key is read from its file for each request, so that a new one is used at once; it goes into the request's
head and nowhere else. No redirect is followed, because the sound and the key would go along.
"""

import io
import json
import logging
import re
import ssl
import time
import wave
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Final

import numpy as np
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.filepost import encode_multipart_formdata

from meeting_buddy.contract.languages import AUTO
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.text import page_text
from meeting_buddy_bot.recording.audio_source import RATE
from meeting_buddy_bot.transcription.agreement import words
from meeting_buddy_bot.transcription.engine import Decoding, EngineError, Samples
from meeting_buddy_bot.transcription.messages import TranscriberConfig
from meeting_buddy_bot.transcription.openai_answer import AnswerError, decoding

CONNECT_SECONDS: Final = 10.0
"""For a connection, and for sending a request."""
IDLE_SECONDS: Final = 3.0
"""After which a connection is not used again: many servers close theirs after five, perhaps just then."""
PARTIAL_SECONDS: Final = 15.0
"""For an answer about a text that is replaced soon: finals wait meanwhile."""
FINAL_SECONDS: Final = 60.0
"""For a final text, all attempts together."""
ATTEMPTS: Final = 3
"""For a final text."""
PAUSE_SECONDS: Final = (0.5, 2.0)
"""Before the second and the third attempt, where the server names no time."""
LONGEST_PAUSE: Final = 10.0
"""Seconds that a final waits because the server names a time (``Retry-After``)."""
LONGEST_SILENCE: Final = 60.0
"""Seconds for which the server is not asked at all because it names a time."""
SHORTEST_ATTEMPT: Final = 5.0
"""Seconds that another attempt must be left: less makes a server work for nobody."""
MAX_ANSWER: Final = 1024 * 1024
"""Bytes; half a minute of words takes some tens of thousands."""
MAX_VOCABULARY: Final = 400
MAX_BEFORE: Final = 200
"""Characters; Whisper looks at 224 tokens of a prompt."""
MAX_WORDS: Final = 200
"""Characters of the server's own words in a message."""

_SETTINGS: Final = "the bot class's transcription.server"
_TOO_MANY_REQUESTS: Final = 429
_BAD_GATEWAY: Final = 502
"""From here on it is not the request that is to blame, but that there is no server for any."""
_SHORTEST_KEY: Final = 8
"""Characters; a shorter one could not be told from other text, and kept out of it."""
_LANGUAGE: Final = re.compile(
    r"\b(unsupported|unknown|invalid) language\b|\blanguage\b.{0,60}\b(not supported|unsupported|is invalid)\b", re.I
)
_TAG: Final = re.compile(r"<[^>]*>")
_SEEN_SECONDS: Final = 1
"""From its start on, by which a segment is known again when more of it is asked for."""
_QUOTED_WORDS: Final = 3
"""In a row, that show that an answer quotes its request."""


_log = logging.getLogger(__name__)


class _Form(Enum):
    """What an answer can hold, the most first: not every server, nor every model, gives it."""

    WORDS = "words and their times"
    SEGMENTS = "how sure the model is"
    TEXT = "text alone"


class _TooLongError(HTTPError):
    """An answer that is longer than :data:`MAX_ANSWER`."""


class _TooSlowError(HTTPError):
    """An answer that is not whole in time, though some of it came."""


class _RequestError(EngineError):
    """A request came to nothing."""

    def __init__(
        self, cause: str, remedy: str, kind: str, *, again: bool, passes: bool = False, form: bool = False
    ) -> None:
        """``again``: another attempt may help; ``passes``: a later one, too; ``form``: another form may."""
        super().__init__("ServerFailed", cause, remedy, kind, passes=passes)
        self.again = again
        self.form = form


class OpenAIEngine:
    """See :class:`Engine`; only ``transcribe`` speaks with the server."""

    name = "openai"
    languages: frozenset[str] = frozenset()

    def __init__(
        self,
        config: TranscriberConfig,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the configuration; nothing is asked yet.

        Raises:
            EngineError: it names no server.
        """
        if not config.base_url:
            raise EngineError("ServerFailed", "no server", f"name one in {_SETTINGS}")
        self.model = config.model
        self._url = f"{config.base_url.rstrip('/')}/audio/transcriptions"
        self._server = f"the transcription server {re.split('(?<=[^:/])/', config.base_url)[0]}"
        self._key_file = Path(config.key_file) if config.key_file else None
        code = config.language.lower().partition("-")[0]
        self._language = None if code == AUTO else code
        self._vocabulary = _vocabulary(config.vocabulary)
        self._now, self._sleep = now, sleep
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=_trust(config.ca_folder))
        self._asked_at = self._now()
        self._refused: set[_Form] = set()
        """What the server does not give."""
        self._doubted: dict[_Form, bytes] = {}
        """What it did not give for the last segment, and how that began."""
        self._not_before = 0.0
        """The server named this time, of ``now``."""
        self._limited: _RequestError | None = None

    def transcribe(self, pcm: Samples, *, final: bool, prompt: str | None) -> Decoding:
        """See :class:`Engine`. A final is asked for up to three times."""
        sound, beginning = _wav(pcm), _beginning(pcm)
        until = self._now() + (FINAL_SECONDS if final else PARTIAL_SECONDS)
        attempt = 0
        while True:
            self._keep_silence(LONGEST_PAUSE if final else 0.0)
            try:
                return self._ask_in_forms(sound, beginning, prompt, until, final=final)
            except _RequestError as error:
                attempt += 1
                named = self._not_before - self._now()
                pause = named if named > 0 else PAUSE_SECONDS[min(attempt, len(PAUSE_SECONDS)) - 1]
                in_time = self._now() + pause + SHORTEST_ATTEMPT <= until
                if not (final and error.again and attempt < ATTEMPTS and in_time):
                    raise
                if named <= 0:
                    self._sleep(pause)

    def _keep_silence(self, longest: float) -> None:
        """Wait until the server may be asked, or do as if it had been asked and had said so again."""
        pause = self._not_before - self._now()
        if pause <= 0:
            return
        if self._limited is not None and pause > longest:
            raise self._limited.with_traceback(None)
        self._sleep(pause)

    def _ask_in_forms(
        self, sound: bytes, beginning: bytes, prompt: str | None, until: float, *, final: bool
    ) -> Decoding:
        """Ask for as much as the server gives; what it refused for two segments in a row is not asked for again."""
        wanted = [form for form in _Form if form not in self._refused and (final or form is not _Form.WORDS)]
        refused: list[_Form] = []
        first: _RequestError | None = None
        for form in wanted:
            try:
                found = self._ask(sound, prompt, form, until)
            except _RequestError as error:
                if not error.form:
                    raise
                first = first or error
                refused.append(form)
            else:
                for given in wanted[wanted.index(form) :]:
                    self._doubted.pop(given, None)
                for each in refused:
                    self._doubt(each, beginning)
                return found
        assert first is not None  # noqa: S101 -- text alone is always wanted
        raise first  # it was not the form, and the first refusal is about all that is wanted

    def _doubt(self, form: _Form, beginning: bytes) -> None:
        """The server refused this form, and answered in another."""
        before = self._doubted.setdefault(form, beginning)
        if before.startswith(beginning) or beginning.startswith(before):
            return  # it may be about this very sound
        _log.warning("%s does not give %s: that is not asked for any more", self._server, form.value)
        self._refused.add(form)
        if form is _Form.SEGMENTS:
            self._refused.add(_Form.WORDS)

    def _ask(self, sound: bytes, prompt: str | None, form: _Form, until: float) -> Decoding:
        key = self._key()
        body, content_type = encode_multipart_formdata(self._fields(sound, prompt, form))
        headers = {"Content-Type": content_type, "Accept": "application/json", "User-Agent": "meeting-buddy"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            status, content, retry_after = self._post(body, headers, until)
        except HTTPError as error:
            raise self._unreachable(error) from None
        if status != 200:
            raise self._refusal(status, content, key, retry_after, (self._vocabulary, prompt or ""))
        try:
            return decoding(content, self._language)
        except AnswerError as error:
            raise _RequestError(
                f"the answer of {self._server} {error}",
                f"check url of {_SETTINGS}, which ends in /v1 as a rule",
                f"answer {error}",
                again=False,
            ) from None

    def _fields(self, sound: bytes, prompt: str | None, form: _Form) -> list[tuple[str, Any]]:
        fields: list[tuple[str, Any]] = [
            ("file", ("speech.wav", sound, "audio/wav")),
            ("model", self.model),
            ("response_format", "json" if form is _Form.TEXT else "verbose_json"),
            ("temperature", "0"),
        ]
        if form is _Form.WORDS:
            fields.append(("timestamp_granularities[]", "word"))
            fields.append(("timestamp_granularities[]", "segment"))
        if self._language is not None:
            fields.append(("language", self._language))
        told = " ".join(part for part in (self._vocabulary, (prompt or "")[-MAX_BEFORE:]) if part)
        return [*fields, ("prompt", told)] if told else fields

    def _post(self, body: bytes, headers: dict[str, str], until: float) -> tuple[int, bytes, float | None]:
        """Status, content and ``Retry-After`` in seconds.

        Raises:
            HTTPError: there is no whole answer in time.
        """
        if self._now() - self._asked_at > IDLE_SECONDS:
            self._pool.clear()
        left = max(0.1, until - self._now())
        timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, left), read=left)
        response = self._pool.request(
            "POST",
            self._url,
            body=body,
            headers=headers,
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            content = b""
            while piece := response.read1(65_536):
                content += piece
                if len(content) > MAX_ANSWER:
                    raise _TooLongError
                if self._now() > until:
                    raise _TooSlowError
        except BaseException:
            response.close()
            raise
        response.release_conn()
        self._asked_at = self._now()
        try:
            retry_after = urllib3.Retry().get_retry_after(response)
        except (InvalidHeader, ValueError, OverflowError):  # no number, or one that is no time
            retry_after = None
        return response.status, content, retry_after

    def settle(self, decoding: Decoding) -> None:
        """See :class:`Engine`; each segment's language is the server's matter."""

    def _key(self) -> str:
        """The server's key; empty: there is none.

        Raises:
            EngineError: it cannot be read, or cannot be sent.
        """
        where = f"the key in the Secret of {_SETTINGS}.keySecret"
        try:
            key = self._key_file.read_text(encoding="utf-8").strip() if self._key_file is not None else ""
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise EngineError("ServerFailed", f"{where} cannot be read: {error.strerror}", kind="key") from None
        except UnicodeDecodeError:
            raise EngineError("ServerFailed", f"{where} is not text", kind="key") from None
        if not re.fullmatch(r"[!-~]*", key):
            raise EngineError("ServerFailed", f"{where} has blanks or other characters that no key has", kind="key")
        if 0 < len(key) < _SHORTEST_KEY:
            raise EngineError("ServerFailed", f"{where} is shorter than {_SHORTEST_KEY} characters", kind="key")
        return key

    def _unreachable(self, error: HTTPError) -> _RequestError:
        check = f"check url of {_SETTINGS}, and that the bot's pod may reach it"
        match error:
            case NameResolutionError():
                words, again = "is not known by this name", True
            case ConnectTimeoutError():
                words, again = f"takes no connection within {CONNECT_SECONDS:.0f} s", True
            case ReadTimeoutError() | _TooSlowError():  # to ask again would make a slow server slower
                words, again, check = "did not answer in time", False, "it needs more processors, or a smaller model"
            case NewConnectionError():
                cause = error.__cause__ or error.__context__
                words, again = f"takes no connection ({getattr(cause, 'strerror', None) or 'refused'})", True
            case SSLError() if not _cut(error):
                words, again = f"cannot be trusted ({page_text(str(error), MAX_WORDS)})", False
                check = "check its certificate"
            case _TooLongError():
                words, again = f"answers with more than {MAX_ANSWER // 2**20} MiB", False
            case _:
                words, again = "cut the connection, or sent no HTTP", True
        return _RequestError(f"{self._server} {words}", check, type(error).__name__, again=again, passes=again)

    def _refusal(
        self, status: int, content: bytes, key: str, retry_after: float | None, told: tuple[str, ...] = ()
    ) -> EngineError:
        """``told``: what the request said beside its sound; an answer that quotes it is not repeated to anybody."""
        redact = Redactor((key,))
        said, fields = _server_words(content, redact)
        said = redact(page_text(said, 2000))
        shown = "" if any(_quotes(said, each) for each in told) else page_text(said, MAX_WORDS)
        cause = f"{self._server} answered {status}" + (f" ({shown})" if shown else "")
        wrong = status in (400, 422)
        if wrong and self._language is not None and ("language" in fields or _LANGUAGE.search(said)):
            return EngineError(
                "LanguageNotSupported", cause, f"choose another language than {self._language}, or another model"
            )
        limited = status == _TOO_MANY_REQUESTS
        error = _RequestError(
            cause,
            _remedy(status, key),
            str(status),
            again=limited or status >= 500,
            passes=limited or status >= _BAD_GATEWAY,
            form=wrong,
        )
        if error.again and retry_after:
            self._not_before = self._now() + min(retry_after, LONGEST_SILENCE)
            self._limited = error
        return error


def _cut(error: SSLError) -> bool:
    """Whether the other side closed the connection in mid-handshake: a balancer without a server behind it does."""
    return any(isinstance(each, ssl.SSLEOFError | ssl.SSLZeroReturnError) for each in error.args)


def _remedy(status: int, key: str) -> str:
    if status in (401, 403):
        if key:
            return f"check the key in the Secret of {_SETTINGS}.keySecret"
        return f"name the Secret with its key in {_SETTINGS}.keySecret; there is none, or it is empty"
    if 300 <= status < 400:
        return f"it points elsewhere, where no sound is sent: put that address into url of {_SETTINGS}"
    if status in (404, 405):
        return f"check url of {_SETTINGS}, which ends in /v1 as a rule, and its model"
    if status == _TOO_MANY_REQUESTS:
        return "it limits how often it is asked: raise the limit of this key, or run fewer bots at once"
    if status >= 500:
        return "see its log"
    return f"check model of {_SETTINGS}, and the session's language"


def _server_words(content: bytes, redact: Redactor) -> tuple[str, set[str]]:
    """What an error says, and the names of the fields that it is about; of OpenAI, FastAPI and whoever answers."""
    text = redact(content[:8192].decode(errors="replace"))  # before markup is taken out, which could part a key
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return _TAG.sub(" ", text), set()
    if not isinstance(document, dict):
        return text, set()
    found = document.get("error") or document.get("detail") or document.get("message") or ""
    fields: set[str] = set()
    if isinstance(found, dict):
        fields.add(str(found.get("param")))
        found = found.get("message") or found
    elif isinstance(found, list):
        entries = [entry for entry in found[:5] if isinstance(entry, dict)]
        places = [entry["loc"] for entry in entries if isinstance(entry.get("loc"), list)]
        fields.update(str(name) for place in places for name in place)
        found = "; ".join(str(entry["msg"]) for entry in entries if entry.get("msg"))
    return (found if isinstance(found, str) else json.dumps(found, ensure_ascii=False))[:8192], fields


def _quotes(said: str, told: str) -> bool:
    """Whether some words in a row of ``said`` are of what was told; of less than these, all of it."""
    mine, theirs = _bare_words(told), _bare_words(said)
    count = min(_QUOTED_WORDS, len(mine))
    known = {tuple(mine[at : at + count]) for at in range(len(mine) - count + 1)}
    return count > 0 and any(tuple(theirs[at : at + count]) in known for at in range(len(theirs) - count + 1))


def _bare_words(text: str) -> list[str]:
    """Words as they sound, of scripts without blanks each character."""
    parted = re.sub(r"[\W_]+", " ", text.casefold())
    return [word.strip() for word in words(parted)]


def _vocabulary(words: tuple[str, ...]) -> str:
    """As a sentence, of as many words as fit."""
    kept = list(words)
    while kept and len(", ".join(kept)) > MAX_VOCABULARY:
        kept.pop()
    return f"{', '.join(kept)}." if kept else ""


def _wav(pcm: Samples) -> bytes:
    """A file of 16-bit samples."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())
    return stream.getvalue()


def _beginning(pcm: Samples) -> bytes:
    """How a segment begins: the same for less and for more of it, however loud."""
    return np.signbit(pcm[: _SEEN_SECONDS * RATE]).tobytes()


def _trust(folder: str | None) -> ssl.SSLContext:
    """The system's certificate authorities and those of a folder, as far as they are any.

    Raises:
        EngineError: a file there is no certificate.
    """
    context = ssl.create_default_context()
    for path in sorted(Path(folder).glob("*.crt")) if folder else ():
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError) as error:
            cause = f"{path.name} is no certificate authority ({type(error).__name__})"
            raise EngineError("ServerFailed", cause, "check extraCa of the bot class") from error
    return context
