"""No name, and nothing that a tenant puts on the volume, makes the reader hand out anything else.

Each request here carries a token that is signed for just what it asks: the reader does not rest on its caller.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, Derived, Finished
from tests.support.recordings_reader import SESSION, RunningReader, SavedSession, hashed, running_reader, token

SECRET = b"another session's recording"
OTHER = "mbsess_ffffffffffffffffffffffffffffffff"
NAME = "transcript.txt"


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[RunningReader]:
    """With a session, another one, and a file outside."""
    async with running_reader(tmp_path) as running:
        (tmp_path / "outside").write_bytes(SECRET)
        running.save(OTHER).finished(SECRET)
        running.save().finished(b"this session's")
        yield running


@pytest.fixture
def session(reader: RunningReader) -> SavedSession:
    """The session that is asked for."""
    return reader.save()


TARGETS = [
    f"../{OTHER}/recording.mp4",
    "../../outside",
    "..%2foutside",
    "%2e%2e%2foutside",
    "%2e%2e/%2e%2e/outside",
    f"..%5c{OTHER}%5crecording.mp4",
    f"..\\{OTHER}\\recording.mp4",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "recording.mp4%00",
    "recording.mp4%00.txt",
    "%00",
    "recording.mp4%0a",
    "recording.mp4%0d%0aX: y",
    "./recording.mp4",
    "recording.mp4/",
    "recording.mp4/.",
    "segments/../recording.mp4",
    "%252e%252e%252foutside",
    "recording.mp4%20",
    "%ff%fe",
    "%c0%ae%c0%ae/outside",
    "RECORDING.MP4",
    ".",
    "..",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_a_name_that_is_not_in_the_list_is_not_there(reader: RunningReader, target: str) -> None:
    names = {target, unquote(target), unquote(target.replace("%25", "%"))}
    for name in names:
        status = await reader.raw(reader.address(target.replace(" ", "%20")), token(name))
        assert status in (400, 401, 404)


@pytest.mark.parametrize(
    "given", ["..", "%2e%2e", f"{SESSION}%2f..%2f{OTHER}", f"..%2fvolume%2f{OTHER}", "%00", f"{SESSION}%00", "."]
)
async def test_nor_is_a_session_that_is_none(reader: RunningReader, given: str) -> None:
    for session in {given, unquote(given)}:
        for name in ("", "recording.mp4"):
            assert await reader.raw(reader.address(name, given), token(name, session)) in (400, 401, 404)


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        f"../{OTHER}/recording.mp4",
        "/etc/passwd",
        f"segments/../../{OTHER}/recording.mp4",
        "./recording.mp4",
        "segments//recording.mp4",
        ".recording.mp4",
        "a\nb",
        "a\0b",
        "a\\b",
        "a b",
        "ä.txt",
        "",
        "a" * 300,
        "a/b/c/d/e",
    ],
)
async def test_a_manifest_that_names_it_does_not_help(reader: RunningReader, session: SavedSession, name: str) -> None:
    for made in (session.folder / "a\nb", session.folder / "a\\b", session.folder / "a b", session.folder / "ä.txt"):
        made.write_bytes(SECRET)
    (session.folder / ".recording.mp4").write_bytes(SECRET)
    session.add(Derived(name, *hashed(SECRET)))
    assert list((await reader.ask()).files) == ["recording.mp4"]
    session.add(Finished(True, name, hashed(SECRET)[1], len(SECRET)))
    assert (await reader.ask()).files == {}


def _links(session: SavedSession, reader: RunningReader) -> dict[str, str]:
    """Puts links to the other recording in the session's folder; what each is reached by."""
    other = reader.root / OTHER
    (session.folder / "file.mp4").symlink_to(other / "recording.mp4")
    (session.folder / "relative.mp4").symlink_to(f"../{OTHER}/recording.mp4")
    (session.folder / "inside.mp4").symlink_to("recording.mp4")
    (session.folder / "folder").symlink_to(other)
    (session.folder / "absolute").symlink_to("/")
    (session.folder / "loop").symlink_to("loop")
    names = ["file.mp4", "relative.mp4", "inside.mp4", "folder/recording.mp4", "absolute/etc/passwd", "loop", "loop/a"]
    return dict.fromkeys(names, "link")


async def test_no_link_is_followed(reader: RunningReader, session: SavedSession) -> None:
    for name in _links(session, reader):
        session.add(Derived(name, *hashed(SECRET)))
        assert (await reader.ask(name)).status == 404, name
    assert list((await reader.ask()).files) == ["recording.mp4"]


async def test_a_session_folder_that_is_a_link_is_not_there(reader: RunningReader) -> None:
    linked = "mbsess_11111111111111111111111111111111"
    (reader.root / linked).symlink_to(reader.root / OTHER)
    assert (await reader.ask("", linked)).status == 404
    assert (await reader.ask("recording.mp4", linked)).status == 404


async def test_nor_is_one_that_is_a_file(reader: RunningReader) -> None:
    (reader.root / "mbsess_22222222222222222222222222222222").write_bytes(SECRET)
    assert (await reader.ask("", "mbsess_22222222222222222222222222222222")).status == 404


async def test_a_manifest_that_is_a_link_names_nothing(reader: RunningReader, session: SavedSession) -> None:
    (session.folder / MANIFEST_FILE).unlink()
    (session.folder / MANIFEST_FILE).symlink_to(reader.root / OTHER / MANIFEST_FILE)
    assert (await reader.ask()).files == {}


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket", "device"])
async def test_what_is_no_regular_file_is_not_there(reader: RunningReader, session: SavedSession, kind: str) -> None:
    path = session.folder / NAME
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            descriptor = os.open(session.folder, os.O_DIRECTORY)
            bound.bind(f"/proc/self/fd/{descriptor}/{NAME}")  # the folder's own path is too long
            os.close(descriptor)
    else:
        if os.geteuid() != 0:
            pytest.skip("only root makes devices")
        os.mknod(path, 0o20600, os.makedev(1, 5))
    session.add(Derived(NAME, *hashed(b"")))
    assert list((await reader.ask()).files) == ["recording.mp4"]
    assert (await reader.ask(NAME)).status == 404


async def test_what_a_tenant_wrote_is_never_called_a_page(reader: RunningReader, session: SavedSession) -> None:
    for name in ("a.html", "a.svg", "a.js", "page", "a.xhtml", "a.mp4.html"):
        session.derived(name, b"<script>")
        answer = await reader.ask(name)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
