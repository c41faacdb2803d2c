"""A file that only grows: whoever appends never waits, and what the volume refuses is written later, in order."""

import errno
import os
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from meeting_buddy.contract.transcript import NumberedLines
from meeting_buddy_bot.support import append_file
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.threads import call_in_thread


async def test_lines_are_appended_in_order(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "lines", durable=True)
    for number in range(100):
        assert file.append(str(number).encode())
    assert await file.close(60)
    assert (tmp_path / "lines").read_text().split() == [str(number) for number in range(100)]


async def test_nothing_is_made_before_the_first_line(tmp_path: Path) -> None:
    assert await AppendFile(tmp_path / "lines", durable=False).close(60)
    assert not (tmp_path / "lines").exists()


async def test_a_volume_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    pipe = tmp_path / "lines"
    os.mkfifo(pipe)  # opening it for writing blocks until somebody reads
    file = AppendFile(pipe, durable=False)
    began = time.monotonic()
    file.append(b"first")
    file.append(b"second")
    assert not await file.flush(0.1)
    assert time.monotonic() - began < 30
    with pipe.open("rb") as reader:  # it answers again
        assert await file.flush(60)
        assert os.read(reader.fileno(), 100) == b"first\nsecond\n"


async def test_lines_beyond_the_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append_file, "MAX_LINES", 10)
    pipe = tmp_path / "lines"
    os.mkfifo(pipe)
    file = AppendFile(pipe, durable=False)
    taken = [file.append(b"x") for _ in range(20)]
    assert taken[:10] == [True] * 10
    assert not taken[-1]
    pipe.open("rb").close()  # lets the thread go on


async def test_a_line_goes_on_where_the_volume_was_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write, room = tmp_path / "lines", os.write, [4, 0]

    def scarce(descriptor: int, data: bytes) -> int:
        if not room or not path.exists() or not os.path.samestat(os.fstat(descriptor), path.stat()):
            return write(descriptor, data)
        if not (taken := room.pop(0)):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:taken])

    monkeypatch.setattr(os, "write", scarce)
    file = AppendFile(path, durable=True)
    file.append(b"the first")
    assert not await file.flush(60)
    file.append(b"the second")
    await file.flush(60)
    assert await file.close(60)
    assert path.read_text() == "the first\nthe second\n"


LINES = [b'{"text": "the first"}', b'{"text": "the second"}', b'{"text": "the third"}']

TAKEN = {
    "a part, then the rest without its fsync": ([9], [1], []),
    "two parts, then the rest without its fsync": ([4, 9], [1], []),
    "all without its fsync, then a part": ([100, 7], [1], []),
    "all without its fsync, twice": ([100], [1, 2], []),
    "a part, then all without its fsync, then a part again": ([9, 100, 5], [1], []),
    "all but the end of the line, then that without its fsync": ([21], [1], []),
    "a part, which is gone once there is room": ([9], [], [1]),
    "a part, and the rest of it with an error": ([9, -12], [], []),
    "a part, with an error": ([-9], [], []),
}


@pytest.mark.parametrize(("takes", "unsynced", "lost"), TAKEN.values(), ids=TAKEN)
async def test_readers_see_each_line_once_whatever_the_volume_takes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: list[int], unsynced: list[int], lost: list[int]
) -> None:
    """Of the second line, ``takes`` bytes are written at a time (negative: and an error is told) and then all.

    Some of its fsyncs fail; what the volume had taken of it is lost again where ``lost`` says so.
    """
    path, write, fsync, opening = tmp_path / "lines", os.write, os.fsync, os.open
    takes, unsynced, lost, syncs = list(takes), list(unsynced), list(lost), 0
    file = AppendFile(path, durable=True)
    assert file.append(LINES[0])
    assert await file.flush(60)

    def ours(descriptor: int) -> bool:
        return os.path.samestat(os.fstat(descriptor), path.stat())

    def scarce(descriptor: int, data: bytes) -> int:
        if not ours(descriptor) or not takes:
            return write(descriptor, data)
        written = write(descriptor, data[: abs(taken := takes.pop(0))])
        if taken < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return written

    def unsure(descriptor: int) -> None:
        nonlocal syncs
        if ours(descriptor):
            syncs += 1
            if syncs in unsynced:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    def forgetful(name: str | os.PathLike[str], *args: int, **more: int) -> int:
        if name == path and lost and not takes:
            lost.clear()
            os.truncate(path, len(LINES[0]) + 1)
        return opening(name, *args, **more)

    monkeypatch.setattr(os, "write", scarce)
    monkeypatch.setattr(os, "fsync", unsure)
    monkeypatch.setattr(os, "open", forgetful)
    reader, seen = NumberedLines(), []
    assert file.append(LINES[1])
    for _ in range(10):  # each tries once more
        written = await file.flush(60)
        if written:
            break
    assert written
    assert file.append(LINES[2])
    assert await file.close(60)
    content = path.read_bytes()
    for first in range(0, len(content), 5):  # a reader gets the file in pieces
        seen += reader.feed(content[first : first + 5])
    assert seen == [(n, line.decode()) for n, line in enumerate(LINES, 1)], content


async def test_what_a_process_that_died_left_torn_spoils_no_other_line(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("whole\nto")
    file = AppendFile(tmp_path / "lines", durable=True)
    file.append(b"next")
    assert await file.close(60)
    assert (tmp_path / "lines").read_text() == "whole\nto\nnext\n"


async def test_a_line_waits_where_no_thread_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container has as many processes as it may."""
    file = AppendFile(tmp_path / "lines", durable=False)
    with monkeypatch.context() as refused:
        refused.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        assert file.append(b"first")
        assert not await file.flush(0.1)
    assert file.append(b"second")
    assert await file.close(60)
    assert (tmp_path / "lines").read_bytes() == b"first\nsecond\n"


async def test_a_flush_starts_the_thread_that_a_line_could_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AppendFile(tmp_path / "lines", durable=False)
    with monkeypatch.context() as refused:
        refused.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        assert file.append(b"the only one")
    assert await file.flush(60)
    assert (tmp_path / "lines").read_bytes() == b"the only one\n"
    assert await file.close(60)


async def test_lines_of_a_file_that_hung_when_it_was_closed_are_written_once(tmp_path: Path) -> None:
    pipe = tmp_path / "lines"
    os.mkfifo(pipe)
    file = AppendFile(pipe, durable=False)
    file.append(b"first")
    assert not await file.close(0.1)
    file.append(b"second")
    assert not await file.flush(0.1)
    with pipe.open("rb") as reader:
        assert await file.close(60)
        assert os.read(reader.fileno(), 100) == b"first\nsecond\n"


async def test_a_call_is_refused_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
    with pytest.raises(BlockingIOError) as raised:
        await call_in_thread("call", lambda: 1)
    assert raised.value.errno == errno.EAGAIN
