"""The recordings reader: what it lists, what it hands out, by ranges too, and to whom."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meeting_buddy.contract.reader import MAX_SECONDS, reader_key
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, Finished, RunStart, Segment, encode
from meeting_buddy_bot.recordings import listing
from meeting_buddy_bot.recordings.files import FileState, Folder
from meeting_buddy_bot.recordings.listing import Entry
from meeting_buddy_bot.recordings.parsed_files import ParsedFiles
from tests.support.recordings_reader import KEY, SESSION, RunningReader, hashed, running_reader, token

CONTENT = bytes(range(256)) * 4
SIZE = len(CONTENT)
OTHER = "mbsess_ffffffffffffffffffffffffffffffff"
RECORDING = "recording.mp4"


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[RunningReader]:
    """With one session whose recording is finished."""
    async with running_reader(tmp_path) as running:
        running.save().finished(CONTENT)
        yield running


async def test_the_list_has_what_the_manifest_names_and_what_grows(reader: RunningReader) -> None:
    session = reader.save()
    session.segment(1, b"one")
    session.segment(2, b"two!")
    session.finished(CONTENT)
    session.derived("transcript.jsonl", b"{}\n")
    session.derived("transcript.vtt", b"WEBVTT\n")
    (session.folder / "events.jsonl").write_bytes(b"{}\n{}\n")
    (session.folder / "session.json").write_bytes(b"{}")
    (session.folder / ".recording.mp4").write_bytes(b"unfinished")
    answer = await reader.ask()
    assert answer.status == 200
    assert json.loads(answer.body)["verified"] is True
    shown = [(each["name"], each["kind"], each["bytes"], each["final"]) for each in answer.files.values()]
    assert shown == [
        (RECORDING, "recording", SIZE, True),
        ("transcript.jsonl", "transcript", 3, True),
        ("transcript.vtt", "transcript", 7, True),
        ("events.jsonl", "events", 6, False),
        ("segments/00001.mkv", "segment", 3, True),
        ("segments/00002.mkv", "segment", 4, True),
    ]
    assert answer.files[RECORDING] == {
        "name": RECORDING,
        "kind": "recording",
        "bytes": SIZE,
        "sha256": hashed(CONTENT)[1],
        "media_type": "video/mp4",
        "final": True,
    }
    assert answer.files["events.jsonl"]["sha256"] is None
    for name, each in answer.files.items():
        file = await reader.ask(name)
        assert file.status == 200
        assert hashed(file.body) == (each["bytes"], each["sha256"] or hashed(file.body)[1])
        assert file.headers["Content-Type"] == each["media_type"]


@pytest.mark.parametrize("name", ["session.json", MANIFEST_FILE, ".recording.mp4", "segments", "segments/", "nothing"])
async def test_what_the_list_does_not_name_is_not_there(reader: RunningReader, name: str) -> None:
    reader.save().segment(1, b"one")
    for other in ("session.json", ".recording.mp4"):
        (reader.save().folder / other).write_bytes(b"secret")
    assert (await reader.ask(name)).status == 404


async def test_a_session_without_a_folder_is_not_there(reader: RunningReader) -> None:
    for session in (OTHER, "mbsess_", "..", ".", "volume", "MBSESS_00"):
        assert (await reader.ask("", session)).status == 404, session
        assert (await reader.ask(RECORDING, session)).status == 404, session


async def test_a_live_session_has_its_closed_segments_and_nothing_is_verified(reader: RunningReader) -> None:
    reader.save(OTHER).segment(1, b"one")
    (reader.save(OTHER).folder / "segments/00002.mkv").write_bytes(b"being written")
    answer = await reader.ask("", OTHER)
    assert list(answer.files) == ["segments/00001.mkv"]
    assert json.loads(answer.body)["verified"] is False
    assert (await reader.ask("segments/00002.mkv", OTHER)).status == 404


async def test_the_last_word_on_verification_counts(reader: RunningReader) -> None:
    reader.save().add(Finished(False, cause="does not decode"))
    answer = await reader.ask()
    assert (answer.files, json.loads(answer.body)["verified"]) == ({}, False)
    assert (await reader.ask(RECORDING)).status == 404


@pytest.mark.parametrize("kind", ["run", "segment"])
async def test_what_a_later_attempt_records_is_verified_by_its_own_line(reader: RunningReader, kind: str) -> None:
    session = reader.save()
    if kind == "run":
        session.add(RunStart(2, 2, 60.0, "2026-11-26T12:01:00.000Z"))
    else:
        session.segment(2, b"two!")
    answer = await reader.ask()
    assert json.loads(answer.body)["verified"] is False
    assert answer.files[RECORDING]["final"] is True, "the file itself is what it was"
    session.finished(CONTENT)
    assert json.loads((await reader.ask()).body)["verified"] is True


async def test_a_file_of_another_size_is_handed_out_without_a_hash(reader: RunningReader) -> None:
    (reader.save().folder / RECORDING).write_bytes(CONTENT[:-1])
    entry = (await reader.ask()).files[RECORDING]
    assert (entry["bytes"], entry["sha256"], entry["final"]) == (SIZE - 1, None, False)
    answer = await reader.ask(RECORDING)
    assert (answer.body, "ETag" in answer.headers) == (CONTENT[:-1], False)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names whose size the volume was asked for."""
    found: list[str] = []
    size = Folder.size

    def noted(folder: Folder, name: str) -> int | None:
        found.append(name)
        return size(folder, name)

    monkeypatch.setattr(Folder, "size", noted)
    return found


async def test_of_thousands_of_segments_only_the_newest_is_looked_at(
    reader: RunningReader, looked_at: list[str]
) -> None:
    session, live = reader.save(), reader.save(OTHER)
    for number in range(1, 101):
        for each in (session, live):
            each.segment(number, b"x" * number)
    names = [f"segments/{number:05d}.mkv" for number in range(1, 101)]
    answer = await reader.ask("", OTHER)
    assert sorted(looked_at) == ["events.jsonl", "segments/00100.mkv", "transcript.jsonl"]
    assert list(answer.files) == names
    assert [each["bytes"] for each in answer.files.values()] == list(range(1, 101))
    assert all(each["final"] for each in answer.files.values())
    session.finished(CONTENT)
    looked_at.clear()
    assert list((await reader.ask()).files) == [RECORDING, *names]
    assert sorted(looked_at) == ["events.jsonl", RECORDING, "transcript.jsonl"]


async def test_the_newest_segment_has_the_size_that_it_has_now(reader: RunningReader) -> None:
    (live := reader.save(OTHER)).segment(1, b"one")
    live.segment(2, b"two!")
    (live.folder / "segments/00002.mkv").write_bytes(b"two")
    newest = (await reader.ask("", OTHER)).files["segments/00002.mkv"]
    assert (newest["bytes"], newest["final"]) == (3, False)
    live.segment(3, b"three")
    (live.folder / "segments/00001.mkv").write_bytes(b"on")  # its line is trusted, but not for the download
    assert (await reader.ask("", OTHER)).files["segments/00001.mkv"]["bytes"] == 3
    answer = await reader.ask("segments/00001.mkv", OTHER)
    assert (answer.body, "ETag" in answer.headers) == (b"on", False)


async def test_segments_that_are_gone_are_not_listed(reader: RunningReader) -> None:
    live = reader.save(OTHER)
    for number in range(1, 4):
        live.segment(number, b"x")
    live.add(Segment(4, "elsewhere/a.mkv", 90.0, 120.0, "2026-11-26T12:01:30.000Z", *hashed(b"x"), 1))
    live.segment(5, b"x")
    (live.folder / "segments/00002.mkv").unlink()
    names = ["segments/00001.mkv", "segments/00003.mkv", "segments/00005.mkv"]
    assert list((await reader.ask("", OTHER)).files) == names
    (live.folder / "segments").rename(live.folder / "moved")
    (live.folder / "segments").symlink_to("moved")
    assert (await reader.ask("", OTHER)).files == {}


async def test_too_many_segments_are_left_out_once_the_recording_has_them(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_SEGMENTS", 2)
    session = reader.save()
    for number in range(1, 4):
        session.segment(number, b"x")
    assert len((await reader.ask()).files) == 4
    session.finished(CONTENT)
    assert list((await reader.ask()).files) == [RECORDING]
    assert (await reader.ask("segments/00002.mkv")).body == b"x"


async def test_a_list_of_too_many_files_is_not_made_and_each_can_be_had(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch, looked_at: list[str]
) -> None:
    monkeypatch.setattr(listing, "MAX_FILES", 3)
    made: list[str] = []
    monkeypatch.setattr(Entry, "of", lambda name, *_: made.append(name))
    live = reader.save(OTHER)
    for number in range(1, 6):
        live.segment(number, b"x")
    (live.folder / "events.jsonl").write_bytes(b"{}\n")
    answer = await reader.ask("", OTHER)
    assert (answer.status, answer.headers["Content-Type"]) == (409, "text/plain; charset=utf-8")
    assert (made, looked_at) == ([], []), "the fourth file was enough"
    monkeypatch.undo()
    assert (await reader.ask("segments/00004.mkv", OTHER)).body == b"x"
    assert (await reader.ask("events.jsonl", OTHER)).body == b"{}\n"


async def test_what_the_manifest_names_and_is_gone_makes_no_list_too_long(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_FILES", 2)
    live = reader.save(OTHER)
    for number in range(1, 4):
        live.segment(number, b"x")
    (live.folder / "segments/00002.mkv").unlink()
    assert list((await reader.ask("", OTHER)).files) == ["segments/00001.mkv", "segments/00003.mkv"]


async def test_the_manifest_of_twenty_bots_of_two_days_each_is_read_once(
    reader: RunningReader, parsed: list[bytes]
) -> None:
    segments = 20 * 48 * 120
    at, digest = "2026-11-26T12:00:00.000Z", "0" * 64
    line = encode(Segment(segments, "segments/99999.mkv", 3e6, 3e6 + 30, at, 9**7, digest, 20))
    session = reader.save()
    with (session.folder / MANIFEST_FILE).open("ab") as file:
        file.write((line + b"\n") * segments)
    session.finished(CONTENT)
    for first in range(2):
        answer = await reader.ask(RECORDING, Range=f"bytes={first}-{first}")
        assert (answer.status, answer.body) == (206, CONTENT[first : first + 1])
    assert list((await reader.ask()).files) == [RECORDING]
    assert len(parsed) == 1


async def test_a_transcript_that_grows_is_read_on_from_where_it_ended(reader: RunningReader) -> None:
    path = reader.save().folder / "transcript.jsonl"
    path.write_bytes(b'{"a": 1}\n')
    first = await reader.ask(path.name)
    assert (first.status, first.body, "ETag" in first.headers) == (200, b'{"a": 1}\n', False)
    nothing = await reader.ask(path.name, Range="bytes=9-")
    assert (nothing.status, nothing.headers["Content-Range"]) == (416, "bytes */9")
    with path.open("ab") as file:
        file.write(b'{"b": 2}\n')
    rest = await reader.ask(path.name, Range="bytes=9-")
    assert (rest.status, rest.body, rest.headers["Content-Range"]) == (206, b'{"b": 2}\n', "bytes 9-17/18")
    reader.save().derived(path.name, path.read_bytes())
    assert (await reader.ask(path.name)).headers["ETag"] == f'"{hashed(path.read_bytes())[1]}"'
    with path.open("ab") as file:  # a bot came back to the meeting
        file.write(b'{"c": 3}\n')
    assert (await reader.ask()).files[path.name]["final"] is False


async def test_a_torn_manifest_and_one_of_nonsense_is_read_as_far_as_it_goes(reader: RunningReader) -> None:
    session = reader.save()
    with (session.folder / MANIFEST_FILE).open("ab") as file:
        file.write(b'\xff\xfe\n[]\n"segment"\n{"segment": 1}\n{"derived": 5, "bytes": 1}\n{"gap": "g"}\nnull\n\n')
        file.write(b'{"derived": "a.txt", "bytes": true, "sha256": "' + b"0" * 64 + b'"}\n')
        file.write(b'{"derived": "b.txt", "bytes": 1, "sha256": "x"}\n' + b"[" * 100_000 + b"\n")
        file.write(b'{"derived": "transcript.txt", "byt')
    for name in ("a.txt", "b.txt", "transcript.txt"):
        (session.folder / name).write_bytes(b"x")
    assert list((await reader.ask()).files) == [RECORDING]


async def test_a_line_that_is_no_bots_is_not_understood_at_length(reader: RunningReader) -> None:
    (session := reader.save()).derived("transcript.txt", b"x")
    line = {"derived": "a.txt", "bytes": 1, "sha256": "0" * 64, "more": "x" * 5000}
    (session.folder / "a.txt").write_bytes(b"x")
    with (session.folder / MANIFEST_FILE).open("a") as file:
        file.write(json.dumps(line) + "\n" * 100_000)
    assert list((await reader.ask()).files) == [RECORDING, "transcript.txt"]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Contents of manifests, each time that one is parsed."""
    found: list[bytes] = []
    read_manifest = listing.read_manifest

    def noted(content: bytes) -> listing.Manifest:
        found.append(content)
        return read_manifest(content)

    monkeypatch.setattr(listing, "read_manifest", noted)
    return found


async def test_a_manifest_is_parsed_once_for_each_of_its_states(reader: RunningReader, parsed: list[bytes]) -> None:
    path = reader.save().folder / MANIFEST_FILE
    for first in range(5):
        answer = await reader.ask(RECORDING, Range=f"bytes={first}-{first}")
        assert (answer.status, answer.body) == (206, CONTENT[first : first + 1])
    assert list((await reader.ask()).files) == [RECORDING]
    assert parsed == [path.read_bytes()]
    reader.save().derived("transcript.txt", b"one")
    assert list((await reader.ask()).files) == [RECORDING, "transcript.txt"]
    assert (await reader.ask("transcript.txt")).body == b"one"
    assert len(parsed) == 2
    reader.save(OTHER).derived("transcript.txt", b"two")
    assert (await reader.ask("transcript.txt", OTHER)).body == b"two"
    assert (await reader.ask(RECORDING, OTHER)).status == 404
    assert len(parsed) == 3


async def test_a_manifest_that_was_written_over_and_dated_back_is_parsed_again(
    reader: RunningReader, parsed: list[bytes]
) -> None:
    (session := reader.save()).derived("transcript.txt", b"one")
    assert (await reader.ask("transcript.txt")).headers["ETag"] == f'"{hashed(b"one")[1]}"'
    path, other = session.folder / MANIFEST_FILE, hashed(b"two")[1]
    before, changed = path.stat(), path.read_text().replace(hashed(b"one")[1], other)
    await asyncio.sleep(0.05)  # several ticks of the clock that files are dated by
    with path.open("r+") as file:
        file.write(changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (session.folder / "transcript.txt").write_bytes(b"two")
    assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)
    assert (await reader.ask("transcript.txt")).headers["ETag"] == f'"{other}"'
    assert len(parsed) == 2


def test_what_was_not_used_for_longest_is_not_kept() -> None:
    states = [FileState(1, number, 2000, 0, 0) for number in range(4)]
    kept = ParsedFiles[int](most_bytes=6000)
    for number, state in enumerate(states[:3]):
        kept.put(state, number)
    assert kept.get(states[0]) == 0
    kept.put(states[3], 3)
    assert [kept.get(each) for each in states] == [0, None, 2, 3]
    kept.put(FileState(1, 9, 7000, 0, 0), 9)
    assert [kept.get(each) for each in states] == [None] * 4
    for number in range(100):  # small ones count as well
        kept.put(FileState(2, number, 0, 0, 0), number)
    assert sum(kept.get(FileState(2, number, 0, 0, 0)) is not None for number in range(100)) == 5


async def test_a_manifest_without_end_is_not_read_into_memory(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_MANIFEST", 1000)
    with (reader.save().folder / MANIFEST_FILE).open("ab") as file:
        file.truncate(1 << 40)
    assert (await reader.ask()).status == 503


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=0-99", 206, 0, 99),
        ("bytes=100-299", 206, 100, 299),
        ("bytes=1000-", 206, 1000, SIZE - 1),
        ("bytes=1000-999999", 206, 1000, SIZE - 1),
        (f"bytes=0-{'9' * 18}", 206, 0, SIZE - 1),
        (f"bytes={SIZE - 1}-", 206, SIZE - 1, SIZE - 1),
        ("bytes=-1", 206, SIZE - 1, SIZE - 1),
        ("bytes=-100", 206, SIZE - 100, SIZE - 1),
        ("bytes=-999999", 206, 0, SIZE - 1),
        ("BYTES=0-9", 206, 0, 9),  # units are case-insensitive
        (f"bytes={SIZE}-", 416, 0, 0),
        (f"bytes={SIZE}-{SIZE + 9}", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        # Several, and what is no range: ignored, as §14.2 allows.
        *((each, 200, 0, SIZE - 1) for each in ("bytes=0-1,5-6", "bytes=0-1, -1", "bytes=9-5", "bytes=-", "bytes=")),
        *((each, 200, 0, SIZE - 1) for each in ("items=0-5", "bytes 0-5", "0-5", "bytes=a-b", "bytes=0-5;x", "x")),
        *((each, 200, 0, SIZE - 1) for each in ("bytes=--5", "bytes=0x0-5", "bytes=+0-5", f"bytes={'9' * 5000}-")),
    ],
)
async def test_ranges(reader: RunningReader, asked: str, status: int, first: int, last: int) -> None:
    answer = await reader.ask(RECORDING, Range=asked)
    assert answer.status == status
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
        return
    assert answer.body == CONTENT[first : last + 1]
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.headers.get("Content-Range") == (f"bytes {first}-{last}/{SIZE}" if status == 206 else None)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"] == f'"{hashed(CONTENT)[1]}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("asked", "status"), [("bytes=0-", 416), ("bytes=-5", 200), ("bytes=-0", 416)])
async def test_ranges_of_an_empty_file(reader: RunningReader, asked: str, status: int) -> None:
    reader.save().derived("transcript.txt", b"")
    answer = await reader.ask("transcript.txt", Range=asked)
    assert (answer.status, answer.headers.get("Content-Range")) == (status, "bytes */0" if status == 416 else None)


async def test_a_head_says_what_a_get_would_and_knows_no_ranges(reader: RunningReader) -> None:
    answer = await reader.ask(RECORDING, method="HEAD", Range="bytes=0-9")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["ETag"] == f'"{hashed(CONTENT)[1]}"'


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('"{}"', 206),
        ('"00"', 200),
        ('W/"{}"', 200),
        ("{}", 200),
        ("Thu, 26 Nov 2026 14:00:00 GMT", 200),
        ("", 200),
    ],
)
async def test_a_range_of_another_state_is_the_whole_file(reader: RunningReader, condition: str, status: int) -> None:
    given = condition.format(hashed(CONTENT)[1])
    answer = await reader.ask(RECORDING, Range="bytes=0-9", If_Range=given)
    assert (answer.status, len(answer.body)) == (status, 10 if status == 206 else SIZE)
    # Behind the file's end, too: nothing is unsatisfiable about a range that does not count.
    answer = await reader.ask(RECORDING, Range=f"bytes={SIZE}-", If_Range=given)
    assert answer.status == (416 if status == 206 else 200)


async def test_a_growing_file_has_no_state_to_go_on_from(reader: RunningReader) -> None:
    (reader.save().folder / "events.jsonl").write_bytes(b"{}\n")
    assert (await reader.ask("events.jsonl", Range="bytes=0-0", If_Range='"None"')).status == 200
    assert (await reader.ask("events.jsonl", If_None_Match='"None"')).status == 200


@pytest.mark.parametrize(
    ("header", "condition", "status"),
    [
        ("If_None_Match", '"{}"', 304),
        ("If_None_Match", 'W/"{}"', 304),
        ("If_None_Match", '"00", "{}"', 304),
        ("If_None_Match", "*", 304),
        ("If_None_Match", '"00"', 200),
        ("If_Match", '"{}"', 200),
        ("If_Match", "*", 200),
        ("If_Match", '"00"', 412),
        ("If_Match", 'W/"{}"', 412),
        ("If_Match", '"*"', 412),
        ("If_Match", "", 412),
        ("If_None_Match", '"*"', 200),
        ("If_None_Match", "", 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_conditions(reader: RunningReader, header: str, condition: str, status: int, method: str) -> None:
    etag = hashed(CONTENT)[1]
    answer = await reader.ask(RECORDING, method=method, **{header: condition.format(etag)})
    assert (answer.status, answer.headers["ETag"]) == (status, f'"{etag}"')
    assert len(answer.body) == (SIZE if (status, method) == (200, "GET") else 0)


def _refused() -> dict[str, str]:
    now = time.time()
    good = token(RECORDING)
    return {
        "other session": token(RECORDING, OTHER),
        "other name": token("events.jsonl"),
        "the list's": token(""),
        "late": token(RECORDING, expires=now - 1),
        "too far ahead": token(RECORDING, expires=now + MAX_SECONDS + 60),
        "one bit": good[:-1] + chr(ord(good[-1]) ^ 1),
        "other key": token(RECORDING, key=reader_key(KEY, "other")),
        "nothing": "",
        "malformed": "x.y",
        "not ASCII": "1.ä",
        "two": f"{good} {good}",
        "long": "9" * 7000,
    }


@pytest.mark.parametrize("which", _refused())
async def test_a_token_for_anything_else_is_refused_in_one_word(reader: RunningReader, which: str) -> None:
    for session in (SESSION, OTHER):  # the one is there, the other not
        if (which, session) != ("other session", OTHER):
            answer = await reader.ask(RECORDING, session, bearer=_refused()[which])
            assert (answer.status, answer.body) == (401, b"unauthorized\n")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_one_authorization_of_the_right_kind_is_needed(reader: RunningReader) -> None:
    assert (await reader.ask(RECORDING, Authorization=f"bearer {token(RECORDING)}")).status == 200
    for given in ("", token(RECORDING), f"Basic {token(RECORDING)}", f"Bearer  {token(RECORDING)}"):
        assert (await reader.ask(RECORDING, Authorization=given)).status == 401, given
    assert await reader.raw(reader.address(""), f"{token()}\r\nAuthorization: Bearer {token()}") == 401


async def test_a_new_key_counts_at_once_and_without_one_nothing_is_handed_out(reader: RunningReader) -> None:
    before = token(RECORDING)
    new = reader_key(KEY, "new")
    reader.key_file.write_bytes(new)
    assert (await reader.ask(RECORDING, bearer=before)).status == 401
    assert (await reader.ask(RECORDING, bearer=token(RECORDING, key=new))).status == 200
    for content in (b"", KEY[:-1], KEY + b"\n"):
        reader.key_file.write_bytes(content)
        assert (await reader.ask(RECORDING, bearer=token(RECORDING, key=content))).status == 503
    reader.key_file.unlink()
    answer = await reader.ask(RECORDING)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


async def test_only_what_is_described_is_answered(reader: RunningReader) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert (await reader.ask(RECORDING, method=method)).status == 405
    for target in ("/", "/metrics", "/v1/sessions", f"/v1/sessions/{SESSION}", f"/v1/sessions/{SESSION}/files/"):
        assert await reader.raw(target, token()) == 404, target
    assert await reader.raw("/healthz", "none") == 200


async def test_a_folder_of_the_volume_that_is_gone_is_no_missing_session(reader: RunningReader) -> None:
    os.rename(reader.root, reader.root.with_name("away"))  # noqa: PTH104
    assert (await reader.ask(RECORDING)).status == 503
