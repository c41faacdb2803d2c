"""The finisher on a volume that is late for a moment: it tries again, and what comes back late touches nothing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from meeting_buddy.contract.assignment import RecordingConfig, TranscriptionConfig
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, TranscriptLine
from meeting_buddy_bot.finishing import recording as finishing_recording
from meeting_buddy_bot.finishing.finisher import Finisher
from meeting_buddy_bot.finishing.recording import UnfinishedRecording
from meeting_buddy_bot.recording import finalizer as recording_finalizer
from meeting_buddy_bot.recording import manifest_writer, volume_watch
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.manifest import Finished, RunEnd, RunStart
from meeting_buddy_bot.recording.plan import MediaFormat
from meeting_buddy_bot.recording.segments import Span, fsync_and_hash, probe
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.support.volume import SECONDS, Volume, VolumeTimeoutError
from tests.conformance.running_bot import JOINED, make_finisher_assignment
from tests.support.machine_wide import free_port
from tests.unit.test_recovery import LIVED, Left, Listener, left_with_clock_steps, utc
from tests.unit.test_segments import PIECE, SlowVolume, small_pieces  # noqa: F401  # a fixture

RESULT: Final = "recording.mp4"


class LateVolume(Volume):
    """The first call of each of these names is late: it is done when a test says so."""

    def __init__(self, folder: Path, *late: str) -> None:
        super().__init__(folder)
        self.to_be_late = list(late)
        self.under_way: list[Callable[[], Any]] = []
        self.come_back_at = ""

    async def call(self, what: str, access: Callable[[], Any], seconds: float = SECONDS) -> Any:
        if what in self.to_be_late:
            self.to_be_late.remove(what)
            self.under_way.append(access)
            raise VolumeTimeoutError(what)
        if what == self.come_back_at:
            self.come_back()
        return await super().call(what, access, seconds)

    def come_back(self) -> None:
        while self.under_way:
            with contextlib.suppress(OSError):
                self.under_way.pop(0)()


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Left:
    monkeypatch.setattr(volume_watch, "_RETRY_SECONDS", 0.01)
    made = Left(tmp_path)
    made.run(1, 1, 10.0, seconds=6)
    return made


async def finish(volume: Volume) -> tuple[UnfinishedRecording, Listener]:
    clock, listener = SessionClock(), Listener()
    events = EventLog(volume.folder / "events.jsonl", clock)
    events.hold()
    recording = UnfinishedRecording(volume, clock, events, RecordingConfig(), lambda: None)
    async with asyncio.timeout(60):
        await recording.finish(VolumeWatch(volume, clock, events, listener))
    await events.close()
    return recording, listener


def finalizer(volume: Volume) -> RecordingFinalizer:
    return RecordingFinalizer(volume, MediaFormat((320, 180)), EventLog(volume.folder / "events.jsonl", SessionClock()))


def check(left: Left, finished: Finished | None) -> None:
    assert finished is not None
    assert finished.verified, finished.cause
    assert (finished.bytes, finished.sha256) == fsync_and_hash(left.folder / RESULT)
    assert left.lines[-1] == finished


@pytest.mark.parametrize("what", ["ask for free room", "write the list of segments", "hash", "publish"])
async def test_one_late_call_does_not_decide(left: Left, what: str) -> None:
    recording, listener = await finish(volume := LateVolume(left.folder, what))
    assert volume.under_way
    check(left, recording.finished)
    assert (recording.report.verified, listener.unresponsive) == (True, False)
    assert recording.report.segments == 2


@pytest.mark.usefixtures("small_pieces")
async def test_a_volume_may_take_hours_for_the_hash_if_it_goes_on(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = SlowVolume(left.folder, monkeypatch, 50 / PIECE)
    recording, _ = await finish(volume)
    assert volume.took > 1000
    check(left, recording.finished)
    before, volume.took = volume.took, 0.0
    again, _ = await finish(volume)  # compares it with what was verified before
    assert 600 < volume.took < before
    assert again.finished == recording.finished


async def test_nor_does_a_segment_that_is_handed_out_late(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    late = ["once"]

    async def slow(file: Path, latest: float = float("inf")) -> Span | None:
        if late:
            late.clear()
            raise VolumeTimeoutError("read a segment")
        return await probe(file, latest)

    monkeypatch.setattr(recording_finalizer, "probe", slow)
    recording, _ = await finish(Volume(left.folder))
    check(left, recording.finished)


@pytest.mark.parametrize("refusals", [0, 1])
async def test_nor_does_one_that_ffprobe_cannot_read_for_a_moment(
    left: Left, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    empty, refused = ["once"], ["once"] * refusals

    async def nothing(file: Path, latest: float = float("inf")) -> Span | None:
        if empty:
            empty.clear()
            return None
        return await probe(file, latest)

    def refusing(file: Path) -> tuple[int, str]:
        if refused:
            refused.clear()
            raise OSError(errno.EIO, "Input/output error")
        return fsync_and_hash(file)

    monkeypatch.setattr(recording_finalizer, "probe", nothing)
    monkeypatch.setattr(recording_finalizer, "fsync_and_hash", refusing)
    recording, _ = await finish(Volume(left.folder))
    assert not refused
    check(left, recording.finished)


async def test_nor_does_a_line_that_is_taken_late(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays as it is, so the line may come back whenever it likes."""
    flush, refused = AppendFile.flush, ["by flush", "by close"]

    async def refusing(file: AppendFile, seconds: float) -> bool:
        written = await flush(file, seconds)
        if refused and isinstance(left.lines[-1], Finished):
            refused.pop()
            return False
        return written

    monkeypatch.setattr(AppendFile, "flush", refusing)
    recording, _ = await finish(Volume(left.folder))
    assert not refused
    check(left, recording.finished)
    assert len([line for line in left.lines if isinstance(line, Finished)]) == 1


async def test_a_volume_that_refuses_the_file_each_time_is_not_waited_for_without_end(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordingFinalizer, "_publish", refused)
    monkeypatch.setattr(volume_watch, "FAILING_SECONDS", 0.2)
    with pytest.raises(OSError, match="cannot be used: No space left on device"):
        await finish(Volume(left.folder))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EDQUOT])
async def test_one_that_takes_no_lines_is_told_in_the_words_of_the_kernel(
    left: Left, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write = os.write

    def refusing(descriptor: int, data: bytes) -> int:
        if b'"segment"' in data:
            raise OSError(number, os.strerror(number))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", refusing)
    monkeypatch.setattr(volume_watch, "FAILING_SECONDS", 0.2)
    with pytest.raises(OSError, match=f"does not take the manifest's lines: {os.strerror(number)}$") as told:
        await finish(Volume(left.folder))
    assert told.value.errno == number


async def test_a_damaged_entry_does_not_cost_the_others(left: Left) -> None:
    (left.folder / "segments/00003.mkv").symlink_to("gone")
    left.says(RunStart(2, 3, 30.0, utc(30.0)))
    with (left.folder / "manifest.jsonl").open("a") as manifest:
        manifest.write('{"segment": 3}\n')
    recording, _ = await finish(Volume(left.folder))
    check(left, recording.finished)
    assert recording.report.segments == 2


async def test_media_that_the_clock_contradicted_is_not_verified_by_it_either(left: Left) -> None:
    """The bot that captured it has told, before it ended, for how long it did."""
    left.says(RunEnd(1, 35.0))
    recording, _ = await finish(Volume(left.folder))
    assert recording.finished is not None
    assert not recording.finished.verified
    assert str(recording.finished.cause).endswith("s of media; the session clock counted 25.0 s")


async def test_its_clock_leaves_out_by_how_much_the_wall_clock_was_set(tmp_path: Path) -> None:
    left_with_clock_steps(tmp_path, [86400.0])
    await finish(Volume(tmp_path))
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines() if '"finisher' in line]
    assert [each["t"] for each in events] == pytest.approx([LIVED + 30.0], abs=5.0)


async def test_what_comes_back_late_touches_nothing_of_the_next_try(left: Left) -> None:
    await left.recover()
    volume = LateVolume(left.folder, "write the list of segments")
    with pytest.raises(VolumeTimeoutError):
        await finalizer(volume).run(left.segments, {})
    volume.to_be_late = ["publish", "tidy up"]
    with pytest.raises(VolumeTimeoutError):
        await finalizer(volume).run(left.segments, {})
    assert len(volume.under_way) == 3
    volume.come_back_at = "hash"  # between writing and publishing
    finished = await finalizer(volume).run(left.segments, {})
    assert not volume.under_way
    assert finished.verified
    assert (finished.bytes, finished.sha256) == fsync_and_hash(left.folder / RESULT)


async def test_a_run_that_wrote_nothing_since_is_followed_by_the_line_once_more(left: Left) -> None:
    first, _ = await finish(Volume(left.folder))
    left.says(RunStart(2, 3, 30.0, utc(30.0)))
    second, _ = await finish(Volume(left.folder))
    assert second.finished == first.finished
    check(left, second.finished)


async def test_lines_that_are_not_answered_are_told_from_lines_that_are_refused(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SessionClock()
    events = EventLog(left.folder / "events.jsonl", clock)
    writer = manifest_writer.ManifestWriter(Volume(left.folder), clock, events, lambda: None)

    async def refuses(_file: AppendFile, _seconds: float) -> bool:
        return False

    async def hangs(_file: AppendFile, seconds: float) -> bool:
        await asyncio.sleep(seconds)
        return False

    monkeypatch.setattr(AppendFile, "flush", refuses)
    with pytest.raises(OSError, match="does not take") as refused:
        await writer.written()
    assert not isinstance(refused.value, VolumeTimeoutError)
    monkeypatch.setattr(manifest_writer, "_FLUSH_SECONDS", 0.05)
    monkeypatch.setattr(AppendFile, "flush", hangs)
    with pytest.raises(VolumeTimeoutError):
        await writer.written()


def settings(folder: Path) -> Settings:
    """Of a finisher that has this folder to itself."""
    return replace(
        Settings(assignment=folder / "assignment.json", link=folder / "link", passcode_file=folder / "code"),
        recordings=folder / "recordings",
        termination_log=folder / "termination-log",
        port=free_port(),
    )


async def test_a_finisher_that_could_not_read_the_folder_writes_nothing_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "session.json").write_text('{"people": "of the bot"}')
    (folder / "events.jsonl").write_text('{"t": 7200.0}\n')
    (tmp_path / "assignment.json").write_text(make_finisher_assignment(message="it was killed").to_json())

    def refuse(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(finishing_recording, "read_folder", refuse)
    monkeypatch.setattr(volume_watch, "_RETRY_SECONDS", 0)
    monkeypatch.setattr(volume_watch, "FAILING_SECONDS", 0.1)
    finisher = Finisher(settings(tmp_path))
    async with asyncio.timeout(60):
        await finisher.run()
    assert "it was killed" not in (told := json.loads((tmp_path / "termination-log").read_text()))["message"], told
    assert (folder / "session.json").read_text() == '{"people": "of the bot"}'
    assert (folder / "events.jsonl").read_text() == '{"t": 7200.0}\n'


async def test_a_finisher_without_time_to_recover_tells_what_the_manifest_lists(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    left.lists(left.folder / "segments/00001.mkv", 1, 10.0, 14.0)
    begun = asyncio.Event()

    async def never(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(finishing_recording, "recover", never)
    volume, clock = Volume(left.folder), SessionClock()
    events = EventLog(left.folder / "events.jsonl", clock)
    told: list[int] = []
    recording = UnfinishedRecording(
        volume, clock, events, RecordingConfig(), lambda: told.append(recording.report.segments)
    )
    finishing = asyncio.create_task(recording.finish(VolumeWatch(volume, clock, events, Listener())))
    async with asyncio.timeout(60):
        await begun.wait()
        finishing.cancel()
        await asyncio.wait({finishing})
    await events.close()
    assert (recording.report.segments, recording.report.seconds, told) == (1, 4.0, [1])


@pytest.mark.parametrize(
    "what",
    ["count the transcript's lines", "read the transcript", "render the transcript", "verify the transcript"],
)
async def test_one_late_call_does_not_cost_the_transcript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(volume_watch, "_RETRY_SECONDS", 0.01)
    folder = tmp_path / "recordings"
    folder.mkdir()
    line = TranscriptLine(segment="1", revision=1, final=True, start=1, end=90, at=JOINED, language="en", text="hello")
    (folder / TRANSCRIPT_FILE).write_text(f"{line.to_json()}\n")
    wanted = TranscriptionConfig(enabled=True, model="/models/none")
    assignment = make_finisher_assignment(recording=RecordingConfig(enabled=False), transcription=wanted)
    (tmp_path / "assignment.json").write_text(assignment.to_json())
    finisher = Finisher(settings(tmp_path))
    finisher._volume = volume = LateVolume(folder, what)
    async with asyncio.timeout(60):
        await finisher.run()
    assert volume.under_way
    told = json.loads((folder / "session.json").read_text())["transcription"]
    assert (told["state"], told["reason"], told["lines"]) == ("Done", None, 1), told
    assert (folder / "transcript.vtt").exists()
