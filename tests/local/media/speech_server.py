"""A server of speech to text with the shapes of OpenAI's API, for tests: this one is ours, and made to fail on demand.

It answers ``POST /v1/audio/transcriptions`` as OpenAI's documentation and the servers around Whisper show it
(https://platform.openai.com/docs/api-reference/audio), with what a decoder understands: a scripted one, or
:class:`WhisperDecoder`, which is the same Whisper base as :mod:`tests.local.media.whisper`. It listens on loopback, in
a thread of its own, and can be stopped and started again at the same port.
"""

from __future__ import annotations

import asyncio
import io
import ssl
import threading
import wave
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self

import numpy as np
from aiohttp import web
from faster_whisper import WhisperModel

from tests.local.media.sound import RATE, Samples
from tests.local.media.speech_model import model_folder
from tests.support.machine_wide import free_port

Answer = dict[str, Any]
"""As ``verbose_json`` has it."""
Decoder = Callable[[Samples, "Request"], Answer]
SLOW_SECONDS = 1.0


class Fault(Enum):
    """How the server fails."""

    UNAUTHORIZED = auto()
    """401, with the key that it was sent in its words."""
    ECHO = auto()
    """500, with the key in many spellings."""
    LIMITED = auto()
    """429 with ``Retry-After``."""
    BROKEN = auto()
    """500."""
    BAD_GATEWAY = auto()
    """502 with a page of a proxy's."""
    NOT_FOUND = auto()
    WRONG_LANGUAGE = auto()
    """400 as OpenAI says it."""
    BAD_LANGUAGE_FIELD = auto()
    """422 as FastAPI says it."""
    NO_WORDS = auto()
    """400 for times of words, as OpenAI says it of some models."""
    NO_VERBOSE = auto()
    """400 for ``verbose_json``."""
    ELSEWHERE = auto()
    """307 to another host."""
    GARBAGE = auto()
    """200 with bytes that are no JSON."""
    NO_TEXT = auto()
    """200 with ``text`` of the wrong type, which holds the key."""
    WRONG_TYPES = auto()
    """200 with all but ``text`` of the wrong type."""
    HUGE = auto()
    """200 with more than anybody wants."""
    SLOW = auto()
    """The answer after :data:`SLOW_SECONDS`."""
    DRIPS = auto()
    """The answer in single bytes, each a tenth of a second after the last."""
    CUT = auto()
    """The connection ends without an answer."""
    CUT_SHORT = auto()
    """The connection ends in the midst of the answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent, apart from the sound."""

    fields: dict[str, str]
    granularities: tuple[str, ...]
    key: str | None
    seconds: float
    """Length of the sound."""
    connection: int
    """The client's port."""


@dataclass(slots=True)
class SpeechServer:
    """A context manager; in it the server listens."""

    decoder: Decoder
    key: str | None = None
    """That it asks for."""
    retry_after: str = "1"
    fault: Fault | None = None
    times: int | None = None
    """Of the requests that the fault is for; ``None``: of all."""
    requests: list[Request] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    tls: ssl.SSLContext | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Base URL, up to and with ``/v1``."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, name="speech server", daemon=True)
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join()
        self._loop.close()

    def fail(self, fault: Fault | None, times: int | None = None) -> None:
        """Fail like this from now on, or so many times."""
        self.fault, self.times = fault, times

    def start(self) -> None:
        """Listen."""
        self._run(self._start())

    def stop(self) -> None:
        """Close the port and all connections."""
        self._run(self._stop())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.add_routes([web.post("/v1/audio/transcriptions", self._transcribe)])
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self.tls).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _transcribe(self, http: web.Request) -> web.StreamResponse:
        samples, request = await _received(http)
        self.requests.append(request)
        fault = self.fault
        if fault is not None and self.times is not None:
            self.times -= 1
            if self.times == 0:
                self.fault = self.times = None
        if self.key is not None and request.key != self.key:
            fault = Fault.UNAUTHORIZED
        if fault is not None and (failed := await self._failed(fault, http, request)) is not None:
            return failed
        answer = await asyncio.to_thread(self.decoder, samples, request)
        if request.fields.get("response_format", "json") == "json":
            answer = {"text": answer["text"]}
        elif "word" not in request.granularities:
            answer.pop("words", None)
        if fault is Fault.WRONG_TYPES:
            answer = {"text": answer["text"], "language": 7, "segments": {"0": None}, "words": [{"word": "a"}]}
        return web.json_response(answer)

    async def _failed(self, fault: Fault, http: web.Request, request: Request) -> web.StreamResponse | None:
        key = request.key or ""
        match fault:
            case Fault.UNAUTHORIZED:
                return _error(401, f"Incorrect API key provided: {key}.\x1b[31m You can find your API key\r\nthere.")
            case Fault.ECHO:
                spelled = "".join(f"\\u{ord(each):04x}" for each in key)
                return _error(500, f'headers: {{"Authorization": "Bearer {key}"}} {key.upper()} {spelled} a{key}b')
            case Fault.LIMITED:
                return _error(429, "Rate limit reached", {"Retry-After": self.retry_after})
            case Fault.BROKEN:
                return _error(500, "The server had an error")
            case Fault.BAD_GATEWAY:
                return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
            case Fault.NOT_FOUND:
                return web.json_response({"detail": "Not Found"}, status=404)
            case Fault.WRONG_LANGUAGE:
                return _error(400, "Invalid value", param="language")
            case Fault.BAD_LANGUAGE_FIELD:
                detail = [{"type": "enum", "loc": ["body", "language"], "msg": "Input should be 'af', 'am' or 'ar'"}]
                return web.json_response({"detail": detail}, status=422)
            case Fault.NO_WORDS if "word" in request.granularities:
                return _error(400, "timestamp_granularities are not supported", param="timestamp_granularities")
            case Fault.NO_VERBOSE if request.fields["response_format"] == "verbose_json":
                return _error(400, "response_format 'verbose_json' is not compatible", param="response_format")
            case Fault.ELSEWHERE:
                return web.Response(status=307, headers={"Location": "http://127.0.0.2:9/v1/audio/transcriptions"})
            case Fault.GARBAGE:
                return web.Response(body=b"\xff\xfe<not json>" + key.encode())
            case Fault.NO_TEXT:
                return web.json_response({"text": [key], "language": "en"})
            case Fault.HUGE:
                return web.json_response({"text": "a" * 8_000_000})
            case Fault.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            case Fault.DRIPS:
                response = web.StreamResponse()
                await response.prepare(http)
                while True:
                    await response.write(b" ")
                    await asyncio.sleep(0.1)
            case Fault.CUT | Fault.CUT_SHORT:
                assert http.transport is not None
                if fault is Fault.CUT_SHORT:
                    http.transport.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"text": "And so')
                http.transport.close()
                return web.Response()
        return None


class WhisperDecoder:
    """Whisper base; the same sound always gives the same words."""

    def __init__(self) -> None:
        self._model = WhisperModel(
            str(model_folder()), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
        )

    def __call__(self, samples: Samples, request: Request) -> Answer:
        segments, info = self._model.transcribe(
            samples,
            language=request.fields.get("language"),
            initial_prompt=request.fields.get("prompt"),
            temperature=float(request.fields.get("temperature", 0)),
            beam_size=1,
            condition_on_previous_text=False,
            word_timestamps="word" in request.granularities,
        )
        found = list(segments)
        names = {"en": "english", "de": "german"}
        return {
            "task": "transcribe",
            "language": names.get(info.language, info.language),
            "duration": info.duration,
            "text": "".join(each.text for each in found).strip(),
            "segments": [
                {
                    "id": each.id,
                    "start": each.start,
                    "end": each.end,
                    "text": each.text,
                    "avg_logprob": each.avg_logprob,
                    "compression_ratio": each.compression_ratio,
                    "no_speech_prob": each.no_speech_prob,
                }
                for each in found
            ],
            "words": [
                {"word": word.word.strip(" ,.;?!"), "start": float(word.start), "end": float(word.end)}
                for each in found
                for word in each.words or ()
            ],
        }


def _error(
    status: int, message: str, headers: dict[str, str] | None = None, param: str | None = None
) -> web.StreamResponse:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return web.json_response({"error": error}, status=status, headers=headers)


async def _received(http: web.Request) -> tuple[Samples, Request]:
    form = await http.post()
    file = form["file"]
    assert isinstance(file, web.FileField)
    with wave.open(io.BytesIO(file.file.read())) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (RATE, 1, 2)
        raw = sound.readframes(sound.getnframes())
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    granularities = tuple(str(each) for each in form.getall("timestamp_granularities[]", ()))
    scheme, _, key = http.headers.get("Authorization", "").partition(" ")
    assert scheme in ("", "Bearer")
    assert http.transport is not None
    connection = int(http.transport.get_extra_info("peername")[1])
    samples = np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(32768)
    return samples, Request(fields, granularities, key or None, len(samples) / RATE, connection)
