"""What was said and shown in a meeting, for who may have it: transcripts, live and stored, and recordings.

The right to read a session does not include them: ``get`` of a virtual subresource is asked for, by its name, and again
each minute while anything is handed out.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass

from meeting_buddy.contract import identity
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reader import NAME
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, NumberedLines
from meeting_buddy.http_api.documents import SESSIONS
from meeting_buddy.http_api.finding import Finder, kube_problems, parsed, reference
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.problems import PASSING, ProblemError, media_forbidden, not_found, not_yet
from meeting_buddy.http_api.readers import Readers, StoredBytes, StoredFiles
from meeting_buddy.http_api.transcripts import Events, LiveTranscripts
from meeting_buddy.http_api.upstream import BrokenError
from meeting_buddy.kube.caller import CallerApi, JsonObject
from meeting_buddy.resource.session import PLURAL, MeetingSession

RECHECK_SECONDS: Final = 60.0
"""After so long who hears is judged again."""
JUDGING_SECONDS: Final = 8.0
"""For the API server to say."""
ENDING_SECONDS: Final = 60.0
"""So long the end of a session is waited for behind its bot's last line."""
_LOOK_SECONDS: Final = 2.0
"""Between two looks at whether it has ended."""
_LINE_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_LONGEST_LINE: Final = 512 * 1024
"""Bytes."""
LONG_LISTS: Final = 3
"""Long lists of files that are made and sent at the same time, for what they take in memory."""
WAITING_SECONDS: Final = 10.0
"""For one of them to be done."""
_RECORDINGS: Final = "recordings"
_AGAIN_SECONDS: Final = 1.0
"""Between two looks at whether a caller still has the right, where the API server did not say."""
_TRANSCRIPT: Final = "transcript"
_SOONEST_SECONDS: Final = 5
"""After which a caller may ask again for what is not there yet."""
_LATEST_SECONDS: Final = 60
"""The same, for what is not there for long: its start may be moved."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of a session."""

    name: str
    kind: Annotated[str, Field(description="What it is, such as recording, segment, transcript or events. Open-ended.")]
    media_type: str
    size_bytes: int
    sha256: Annotated[str | None, Field(description="Of a file that is final; it is the download's ETag, too.")]
    final: Annotated[bool, Field(description="False: it is still growing.")]
    url: Annotated[str, Field(description="Path of the download, with its namespace.")]


class RecordingList(BaseModel):
    """The files of a session."""

    recordings: list[Recording]
    verified: bool = Field(description="The finished recording was read again and found whole.")


class MediaAccess:
    """The operations. All errors are ``ProblemError``; what iterators raise later, ``BrokenError`` too."""

    def __init__(
        self,
        api: CallerApi,
        finder: Finder,
        transcripts: LiveTranscripts,
        readers: Readers,
        unread_classes: Collection[str] = (),
    ) -> None:
        """``unread_classes``: bot classes that record to another claim than the one that readers serve."""
        self._api = api
        self._finder = finder
        self._transcripts = transcripts
        self._readers = readers
        self._unread_classes = unread_classes
        self._long_lists = asyncio.Semaphore(LONG_LISTS)

    async def open_transcript(
        self, caller: Caller, namespace: str, session_id: str, after: str | None
    ) -> tuple[AsyncGenerator[bytes, None], Callable[[], None]]:
        """A session's transcript as events, from its bot or, when that is gone, from the volume.

        What is refused is refused here, before the first event. Call the second value to hang up, in any case.

        Args:
            caller: who wants it; it needs ``get`` of the virtual ``meetingsessions/transcript``.
            namespace: of the session.
            session_id: its id.
            after: number of the last line that was seen.
        """
        if after is not None and not _LINE_NUMBER.fullmatch(after):
            raise ProblemError("bad-request", "it is the number of a line", field="Last-Event-ID")
        found = await self._found(caller, namespace, session_id, _TRANSCRIPT)
        session = parsed(found)
        if not session.spec.transcription.enabled:
            raise ProblemError("no-transcript", "transcription is not enabled for this session")
        seen = int(after or 0)
        if session.status.ended:
            events = await self._stored(session, seen)
            return self._judged(caller, found, _TRANSCRIPT, events), events.close
        events = await self._live(session, seen)
        return self._judged(caller, found, _TRANSCRIPT, events, session.status.attempt), events.close

    async def recordings(self, caller: Caller, namespace: str, session_id: str, held: ExitStack) -> bytes:
        """A session's files, while its bot lives and afterwards, as the JSON of a :class:`RecordingList`.

        Args:
            caller: who wants it; it needs ``get`` of the virtual ``meetingsessions/recordings``.
            namespace: of the session.
            session_id: its id.
            held: to be closed once the list has been sent.
        """
        session = await self._found(caller, namespace, session_id, _RECORDINGS)
        found = await self._readers.files(namespace, session_id)
        if found is None:
            if elsewhere := self._elsewhere(parsed(session)):
                raise ProblemError("no-such-recording", elsewhere)
            return _list_text(StoredFiles(files=[], verified=False), namespace, session_id)
        try:
            if found.long:
                async with asyncio.timeout(WAITING_SECONDS):
                    await self._long_lists.acquire()
                held.callback(self._long_lists.release)
            return await asyncio.to_thread(_list_text, await found.read(), namespace, session_id)
        except TimeoutError:
            headers = {"Retry-After": "10"}
            raise ProblemError("too-many-requests", "too many long lists are being sent", headers=headers) from None
        finally:
            found.close()

    async def open_recording(
        self, caller: Caller, namespace: str, session_id: str, name: str, asked: Mapping[str, str], method: str
    ) -> tuple[StoredBytes, AsyncGenerator[bytes, None]]:
        """A file or a part of it: head, and content. Close the first value, in any case.

        Args:
            caller: who wants it; it needs ``get`` of the virtual ``meetingsessions/recordings``.
            namespace: of the session.
            session_id: its id.
            name: of the file, as :meth:`recordings` lists it.
            asked: headers of the request.
            method: ``GET`` or ``HEAD``.
        """
        found = await self._found(caller, namespace, session_id, _RECORDINGS)
        stored = None
        if NAME.fullmatch(name):
            stored = await self._readers.file(namespace, session_id, name, asked, method)
        if stored is None:
            session = parsed(found)
            elsewhere = self._elsewhere(session)
            headers = None if session.status.ended or elsewhere else {"Retry-After": "10"}
            detail = elsewhere or "this session has no file of that name"
            raise ProblemError("no-such-recording", detail, headers=headers)
        return stored, self._judged(caller, found, _RECORDINGS, stored)

    async def _found(self, caller: Caller, namespace: str, session_id: str, what: str) -> JsonObject:
        """The MeetingSession, for who may have what was said."""
        found = await self._finder.find(caller, namespace, session_id)
        with kube_problems():
            await self._check(caller, found, what)
        return found

    async def _check(self, caller: Caller, found: JsonObject, what: str) -> None:
        meta = found["metadata"]
        if not await self._api.may(caller.token, "get", meta["namespace"], meta["name"], what):
            raise media_forbidden(f"{PLURAL}/{what}", meta["namespace"])

    async def _live(self, session: MeetingSession, seen: int) -> Events:
        status = session.status
        if not status.bot_address or status.attempt is None:
            raise _no_bot_yet(session, datetime.now(UTC))
        if status.finishing:
            raise not_yet("the bot has ended, and its files are being finished; then the transcript comes from them")
        try:
            return await self._transcripts.listen(status.bot_address, session.metadata.uid, status.attempt, seen)
        except ProblemError as error:
            if error.kind == "no-transcript" and (status.phase or Phase.INITIALIZING).rank <= Phase.JOINING.rank:
                raise not_yet("the bot has no transcript yet") from None  # it answers before it has read what to do
            raise

    async def _stored(self, session: MeetingSession, seen: int) -> Events:
        meta = session.metadata
        session_id = identity.session_id(meta.uid)
        file = await self._readers.file(meta.namespace, session_id, TRANSCRIPT_FILE, {})
        if file is None:
            detail = self._elsewhere(session) or "the reader has no transcript of this session"
            raise ProblemError("no-transcript", detail)
        return _StoredTranscript(file, seen)

    def _elsewhere(self, session: MeetingSession) -> str | None:
        """Why a reader has nothing of a session, whatever was recorded; ``None``: it would have it."""
        name = session.spec.bot_class_name
        served = name not in self._unread_classes
        return None if served else f"files of bot class {name} are on a volume that no reader serves"

    async def _judged(
        self, caller: Caller, found: JsonObject, what: str, source: Events, attempt: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """What a source gives, for as long as its caller has the right to it and the session is there.

        Where it is the bot of an ``attempt``, its end is not the session's.
        """
        found, clock = reference(found), asyncio.get_running_loop()
        judged = clock.time()
        while True:
            part: bytes | None = b""
            with suppress(TimeoutError):
                async with asyncio.timeout_at(judged + RECHECK_SECONDS):
                    part = await source.next()
            if part is None:
                if attempt is not None:
                    await self._session_end(caller, found, attempt)
                return
            if clock.time() >= judged + RECHECK_SECONDS:  # before what came meanwhile is handed out
                if not await self._still(caller, found, what):
                    if what == _TRANSCRIPT:
                        return  # no line follows
                    raise not_found()  # a part is not the whole
                judged = clock.time()
            if part:
                yield part

    async def _still(self, caller: Caller, found: JsonObject, what: str) -> bool:
        """Whether the session is still there.

        Raises:
            ProblemError: its caller has no right to it any more.
            BrokenError: the API server did not say in time.
        """
        try:
            async with asyncio.timeout(JUDGING_SECONDS):
                while True:
                    try:
                        return await self._may_still(caller, found, what)
                    except ProblemError as error:
                        if error.kind not in PASSING:
                            raise
                    await asyncio.sleep(_AGAIN_SECONDS)  # nothing is handed out meanwhile
        except TimeoutError:
            raise BrokenError("the API server did not answer in time") from None

    async def _session_end(self, caller: Caller, found: JsonObject, attempt: int) -> None:
        """Wait until the session has ended with this bot, or is gone.

        Raises:
            ProblemError: its caller may not read it any more.
            BrokenError: it goes on, or may: who comes again hears who follows this bot, or reads what is stored.
        """
        try:
            async with asyncio.timeout(ENDING_SECONDS):
                while True:
                    if await self._ended_with(caller, found, attempt):
                        return
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise BrokenError("the session has not ended yet") from None

    async def _ended_with(self, caller: Caller, found: JsonObject, attempt: int) -> bool:
        try:
            with kube_problems():
                now = await self._finder.again(caller, found)
        except ProblemError as error:
            if error.kind in PASSING:
                return False
            raise
        if now is None:
            return True
        status = parsed(now).status
        if status.attempt != attempt or status.finishing or status.finisher_pod is not None:
            raise BrokenError("another bot or a finisher follows")
        return status.ended

    async def _may_still(self, caller: Caller, found: JsonObject, what: str) -> bool:
        with kube_problems():
            if await self._finder.again(caller, found) is None:
                return False
            await self._check(caller, found, what)
            return True


def _no_bot_yet(session: MeetingSession, now: datetime) -> ProblemError:
    """The bot is made shortly before the meeting starts, or after a pause if one has failed.

    How long before, its bot class says, which callers do not get to know: half the time is a wait that is not too long.
    """
    status = session.status
    due = status.next_attempt_time or session.spec.start_time
    if due is None or due <= now:
        return not_yet("the session has no bot yet")
    wait = round(min(max((due - now).total_seconds() / 2, _SOONEST_SECONDS), _LATEST_SECONDS))
    what = "the meeting starts" if status.next_attempt_time is None else "the next one is made"
    return not_yet(f"the session has no bot yet: {what} at {due.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", wait)


def _list_text(stored: StoredFiles, namespace: str, session_id: str) -> bytes:
    """The JSON of a list; of thousands it takes a while."""
    found = RecordingList(
        recordings=[
            Recording(
                name=each.name,
                kind=each.kind,
                media_type=each.media_type,
                size_bytes=each.bytes,
                sha256=each.sha256,
                final=each.final,
                url=f"{SESSIONS}/{session_id}/{_RECORDINGS}/{quote(each.name)}?namespace={namespace}",
            )
            for each in stored.files
            if NAME.fullmatch(each.name)
        ],
        verified=stored.verified,
    )
    return found.model_dump_json().encode()


class _StoredTranscript:
    """The lines of a session that is over, as the bot sent them."""

    def __init__(self, file: StoredBytes, after: int) -> None:
        self._file = file
        self._after = after
        self._lines = NumberedLines()
        self._read: deque[tuple[int, str]] = deque()

    async def next(self) -> bytes | None:
        while True:
            while self._read:
                number, text = self._read.popleft()
                if number > self._after:
                    return f"id: {number}\nevent: line\ndata: {text}\n\n".encode()
            piece = await self._file.next()
            if piece is None:
                return None
            self._read.extend(self._lines.feed(piece))
            if self._lines.open > _LONGEST_LINE:
                raise BrokenError("a line is too long")

    def close(self) -> None:
        self._file.close()
