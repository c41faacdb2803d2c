"""What a session has to hand out: the names in its manifest, and the logs that grow while the bot lives. Blocking.

``manifest.jsonl`` is read as it is found: torn lines, lines of another version, and names that no bot of ours gives to
a file are passed over. A file that has another size than its line says is not what was hashed: it is handed out without
a hash, and not as final. The list, which looks at no segment but the newest, has what their lines say.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, Final

from meeting_buddy.contract.reader import MAX_FILES, NAME
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE
from meeting_buddy_bot.recordings.files import Folder, MissingError, OpenFile
from meeting_buddy_bot.recordings.parsed_files import ParsedFiles
from meeting_buddy_bot.support.event_log import EVENTS_FILE

MAX_MANIFEST: Final = 32 * 1024 * 1024
"""Bytes; a line takes some 250, a segment lasts half a minute: more than twenty bots that follow each other can record,
of 48 hours each."""
LONG_MANIFEST: Final = 1024 * 1024
"""Bytes; of longer ones one at a time is read, for what that takes in memory."""
MAX_SEGMENTS: Final = 25_000
"""Of a verified session with more of them the list leaves them out: the recording has all that they hold."""
_MAX_LINE: Final = 4096
"""Bytes; what a longer one would take in memory is not ours."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OCTETS: Final = "application/octet-stream"
_MEDIA_TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".mkv": "video/matroska",
    ".mka": "audio/matroska",
    ".jsonl": "application/x-ndjson",
    ".vtt": "text/vtt; charset=utf-8",
    ".srt": "application/x-subrip; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_GROWING: Final = {TRANSCRIPT_FILE: "transcript", EVENTS_FILE: "events"}


@dataclass(frozen=True, slots=True)
class Claim:
    """What the manifest says of a file."""

    kind: str
    """``recording``, ``segment``, ``transcript``, ``derived`` or, without a line of the manifest, ``events``."""
    bytes: int | None = None
    """``None``: nothing; it grows."""
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The part of a manifest that counts here."""

    claims: dict[str, Claim]
    """Name → what is said of it: the recording, what was derived, the growing logs, the segments."""
    verified: bool
    """False also while a later attempt records: the finished file holds nothing of it."""
    newest: str | None
    """The last segment, while no line behind its own says that the recorder is done with it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that can be had now."""

    name: str
    kind: str
    bytes: int
    sha256: str | None
    """In hex; ``None``: it may still change."""

    @property
    def final(self) -> bool:
        """Whether it is what the manifest says, and stays so."""
        return self.sha256 is not None

    @property
    def media_type(self) -> str:
        """By the name's suffix, out of a fixed table: what a tenant wrote is never called a page or a script."""
        return _MEDIA_TYPES.get(PurePosixPath(self.name).suffix, _OCTETS)

    @classmethod
    def of(cls, name: str, claim: Claim, size: int) -> "Entry":
        """The file of ``size`` bytes of which the manifest says ``claim``."""
        return cls(name, claim.kind, size, claim.sha256 if claim.bytes == size else None)


def read_manifest(content: bytes) -> Manifest:
    """Understand a manifest. Never raises, whatever it holds."""
    recording: dict[str, Claim] = {}
    derived: dict[str, Claim] = {}
    segments: dict[str, Claim] = {}
    verified, newest = False, None
    for line in _documents(content):
        if "segment" in line:
            claim = _claim(line, line.get("file"), "segment")
            segments |= claim
            verified, newest = False, next(iter(claim), newest)
        elif "started" in line:
            verified = False
        elif "gap" in line:
            continue
        elif "verified" in line:  # the last one counts, also when it takes the one before back
            verified, newest = line["verified"] is True, None
            recording = _claim(line, line.get("file"), "recording")
        elif "derived" in line:
            name = line["derived"]
            kind = "transcript" if isinstance(name, str) and name.startswith("transcript.") else "derived"
            derived |= _claim(line, name, kind)
    growing = {name: Claim(kind) for name, kind in _GROWING.items()}
    # Of a name in lines of several kinds, the last kind here counts.
    return Manifest({**segments, **growing, **derived, **recording}, verified, newest)


class TooManyFilesError(Exception):
    """A session has more files than a list takes."""


Manifests = ParsedFiles[Manifest]
_one_long = threading.Lock()


def list_files(root: Path, session_id: str, manifests: Manifests) -> tuple[list[Entry], bool]:
    """What can be had now, the finished recording first; and whether that was verified.

    Args:
        root: the namespace's folder of the volume.
        session_id: without a slash.
        manifests: those that were parsed already.

    Raises:
        MissingError: there is no such session.
        TooManyFilesError: there are more than :data:`MAX_FILES`.
        OSError: the volume refuses.
    """
    sizes: dict[str, int] = {}
    with Folder(root, session_id) as folder:
        manifest = _manifest(folder, manifests)
        claims = _listed(manifest)
        for name, size in _sizes(folder, claims, manifest.newest):
            sizes[name] = size
            if len(sizes) > MAX_FILES:
                raise TooManyFilesError
    entries = [Entry.of(name, claim, sizes[name]) for name, claim in claims.items() if name in sizes]
    order = ("recording", "transcript", "derived", "events", "segment")
    return sorted(entries, key=lambda entry: order.index(entry.kind)), manifest.verified


def open_file(root: Path, session_id: str, name: str, manifests: Manifests) -> tuple[Entry, OpenFile]:
    """Open a file that the list names.

    Args:
        root: the namespace's folder of the volume.
        session_id: without a slash.
        name: as the list has it.
        manifests: those that were parsed already.

    Raises:
        MissingError: the list does not name it.
        OSError: the volume refuses.
    """
    with Folder(root, session_id) as folder:
        claim = _manifest(folder, manifests).claims.get(name)
        if claim is None:
            raise MissingError(name)
        file = folder.open(name)
    return Entry.of(name, claim, file.size), file


def _listed(manifest: Manifest) -> dict[str, Claim]:
    """Without segments, where they are too many and the recording is verified; they can be had all the same."""
    others = {name: claim for name, claim in manifest.claims.items() if claim.kind != "segment"}
    many = len(manifest.claims) - len(others) > MAX_SEGMENTS
    return others if many and manifest.verified else manifest.claims


def _sizes(folder: Folder, claims: dict[str, Claim], newest: str | None) -> Iterator[tuple[str, int]]:
    """Names and bytes of what is there.

    Segments are thousands, and a look at each takes a network volume longer than an access may: those that stay as they
    are have the size of their lines, and are there where their folder names them. Who opens one looks at it.
    """
    stay = {
        name: claim.bytes
        for name, claim in claims.items()
        if claim.kind == "segment" and claim.bytes is not None and name != newest
    }
    yield from ((name, stay[name]) for name in folder.named(stay))
    looked_at = ((name, folder.size(name)) for name in claims if name not in stay)
    yield from ((name, size) for name, size in looked_at if size is not None)


def _manifest(folder: Folder, manifests: Manifests) -> Manifest:
    try:
        file = folder.open(MANIFEST_FILE)
    except MissingError:  # nothing was recorded yet
        return read_manifest(b"")
    try:
        if (known := manifests.get(file.state)) is not None:
            return known
        with _one_long if file.size > LONG_MANIFEST else nullcontext():
            found = manifests.get(file.state)  # who held the lock may have read it
            if found is None:
                found = read_manifest(_content(file))
                manifests.put(file.state, found)
            return found
    finally:
        file.close()


def _content(file: OpenFile) -> bytes:
    content = b""
    while piece := file.read(len(content), MAX_MANIFEST + 1 - len(content)):  # at once, as a rule: no second copy
        content += piece
    if len(content) > MAX_MANIFEST:
        raise OSError(f"{MANIFEST_FILE} has more than {MAX_MANIFEST} bytes")
    return content


def _documents(content: bytes) -> Iterator[dict[str, Any]]:
    for line in BytesIO(content):
        if len(line) > _MAX_LINE:
            continue
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):  # torn, or no manifest's
            continue
        if isinstance(document, dict):
            yield document


def _claim(line: dict[str, Any], name: Any, kind: str) -> dict[str, Claim]:
    """Name and claim; nothing where either is none of ours."""
    size, sha256 = line.get("bytes"), line.get("sha256")
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        return {}
    if type(size) is not int or not isinstance(sha256, str) or _SHA256.fullmatch(sha256) is None:
        return {}
    return {name: Claim(kind, size, sha256)}
