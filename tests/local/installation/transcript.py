"""A session's transcript: followed over its bot's HTTP API, and judged by what was really spoken."""

from __future__ import annotations

import base64
import json
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from meeting_buddy.contract.token import Scope, derive
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation.install import NAMESPACE
from tests.local.machine import direct
from tests.local.media import words
from tests.local.media.sound import Utterance
from tests.local.media.words import Words
from tests.local.meetings.livekit.people import Said

Line = dict[str, Any]
"""A line as `transcript.jsonl` and the stream have it."""

PORT = 8470
_KEYS = "meeting-buddy-bot-key"
_SILENT = 30.0
"""Seconds without a word from a bot, whose heartbeat comes more often."""
_BESIDE = 0.5
"""Seconds before and after an utterance in which its words may be heard: the shortest pause between two is longer."""


@dataclass
class TranscriptWatch:
    """What came over the stream, while the meeting goes on."""

    lines: list[Line] = field(default_factory=list)
    """Lines that stay."""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, kind: str, line: Line) -> None:
        """Note one event and wake whoever waits."""
        with self._changed:
            if kind == "line":
                self.lines.append(line)
            self._changed.notify_all()

    def wait_until(self, holds: Callable[[Sequence[Line]], bool], seconds: float) -> bool:
        """Whether it held of the lines within this time."""
        with self._changed:
            return self._changed.wait_for(lambda: holds(self.lines), seconds)


@contextmanager
def followed_transcript(
    kubectl: Kubectl, session: Line, show: Callable[[Line], None] | None = None
) -> Iterator[TranscriptWatch]:
    """Follow the transcript of a session whose bot is in the meeting; ``show`` gets each line as it comes.

    With the read token, as whoever serves transcripts to people gets it: derived from the installation's read key.
    """
    watch = TranscriptWatch()
    response = direct.opener().open(_request(kubectl, session), timeout=_SILENT)

    def read() -> None:
        with response:
            for kind, line in _events(response):
                watch.add(kind, line)
                if show is not None and kind == "line":
                    show(line)

    reader = threading.Thread(target=read, daemon=True)  # the bot ends the stream behind the last line
    reader.start()
    yield watch
    reader.join(_SILENT)


@dataclass(frozen=True, slots=True)
class Understood:
    """A transcript beside what was spoken: its words, and by whom the transcript says that they were."""

    words: Words
    named: int
    """Words with a name, as far as it is known whose they are."""
    misnamed: int
    """Of these, words with a name that is not the speaker's."""
    unnamed: int
    """Words for which the transcript names nobody."""

    def __str__(self) -> str:
        total = self.named + self.unnamed
        return f"{self.words}; wrong speaker for {self.misnamed} of {total} words, none for {self.unnamed}"


def understood(lines: Iterable[Line], said: Sequence[Said], since: datetime) -> Understood:
    """Judge a transcript by what was spoken from ``since`` on; what else is in it does not count.

    Where several spoke at once, a word is one's whose sentence has it, and nobody's (it is not judged) if none has;
    how many words are wrong says little there, because nobody knows in which order they should stand.
    """
    spoken = [one for one in said if one.wall >= since]
    heard = [(word, line["speaker"], those) for line in last(lines) for word, those in _placed(line, spoken)]
    order = {id(one): n for n, one in enumerate(spoken)}
    heard.sort(key=lambda found: order[id(found[2][0])])
    utterances = [Utterance(one.turn.clip.path, one.turn.start, one.turn.person) for one in spoken]
    named = [
        speaker in people
        for word, speaker, those in heard
        if speaker is not None and (people := _speakers_of(word, those))
    ]
    return Understood(
        words.judge(" ".join(word for word, _, _ in heard), utterances),
        len(named),
        named.count(False),
        sum(speaker is None for _, speaker, _ in heard),
    )


def last(lines: Iterable[Line]) -> list[Line]:
    """The last revision of each segment in the order of the meeting; without those that were withdrawn."""
    newest = {line["segment"]: line for line in lines}
    return sorted((line for line in newest.values() if line["text"]), key=lambda line: float(line["start"]))


def _placed(line: Line, spoken: Sequence[Said]) -> Iterator[tuple[str, list[Said]]]:
    """Each word of the line with what was being said at that time, if anything was."""
    began = datetime.fromisoformat(line["at"]).timestamp() - line["start"]
    for word in line["words"]:
        middle = began + (word["start"] + word["end"]) / 2
        those = [one for one in spoken if -_BESIDE <= middle - one.wall.timestamp() <= one.turn.clip.seconds + _BESIDE]
        if those:
            yield word["text"], those


def _speakers_of(word: str, those: Sequence[Said]) -> set[str]:
    if len(those) > 1:
        those = [one for one in those if words.has(one.turn.clip.path, word)]
    return {one.turn.person for one in those}


def _request(kubectl: Kubectl, session: Line) -> urllib.request.Request:
    metadata, status = session["metadata"], session["status"]
    pod = kubectl.json("get", "pod", status["botPod"])
    keys = kubectl.in_namespace(NAMESPACE).json("get", "secret", _KEYS)["data"]
    token = derive(base64.b64decode(keys["read"]), metadata["uid"], status["attempt"], Scope.READ)
    url = f"http://{pod['status']['podIP']}:{PORT}/v1/transcript"
    return urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})


def _events(stream: Iterable[bytes]) -> Iterator[tuple[str, Line]]:
    kind = ""
    for raw in stream:
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)
