"""What the supervisor decides by itself: assignment, settings, memory, the time that is left."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.assignment import assignment_sha256
from meeting_buddy.contract.links import parse_link
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import RecordingReport
from meeting_buddy_bot.recording import volume_watch
from meeting_buddy_bot.runtime.assignment_loader import (
    MAX_PASSCODE,
    AssignmentError,
    load_link,
    load_passcode,
    read_assignment,
    read_finisher_assignment,
)
from meeting_buddy_bot.runtime.components import Components
from meeting_buddy_bot.runtime.memory import Memory, read_memory
from meeting_buddy_bot.runtime.processes import Child
from meeting_buddy_bot.runtime.shutdown_deadline import ShutdownDeadline
from meeting_buddy_bot.runtime.supervisor import Supervisor
from meeting_buddy_bot.session.context import Attend, SessionContext
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.support.volume import Volume, VolumeTimeoutError
from tests.conformance.running_bot import LINK, make_assignment
from tests.support.machine_wide import free_port


def settings(folder: Path) -> Settings:
    return Settings(assignment=folder / "assignment.json", link=folder / "link", passcode_file=folder / "passcode")


class TestOrders:
    def test_a_link_of_the_users_own_secret_is_read_from_its_file(self, tmp_path: Path) -> None:
        (tmp_path / "link").write_text(LINK + "\n")
        assert load_link(make_assignment(link=None), settings(tmp_path)).link == LINK

    def test_the_assignments_link_goes_first(self, tmp_path: Path) -> None:
        (tmp_path / "link").write_text("https://elsewhere.test/rooms/x")
        assert load_link(make_assignment(), settings(tmp_path)).link == LINK

    @pytest.mark.parametrize("content", [None, b"\xff\xfe"])
    def test_a_link_file_that_cannot_be_read(self, tmp_path: Path, content: bytes | None) -> None:
        if content is not None:
            (tmp_path / "link").write_bytes(content)
        with pytest.raises(AssignmentError) as raised:
            load_link(make_assignment(link=None), settings(tmp_path))
        assert raised.value.reason is Reason.CONFIG_INVALID

    def test_a_wrong_assignment_is_told_by_its_fields_never_by_its_values(self, tmp_path: Path) -> None:
        document = json.loads(make_assignment().to_json())
        document["attempt"] = LINK
        document["limits"] = {"waitingRoomSeconds": LINK}
        (tmp_path / "assignment.json").write_text(json.dumps(document))
        with pytest.raises(AssignmentError) as raised:
            read_assignment(settings(tmp_path))
        assert str(raised.value) == "the assignment is not valid: attempt, limits.waitingRoomSeconds"

    @pytest.mark.parametrize("table", [[], "Zoom", None, {"elements": []}, {"elements": {"x": 1}}, {"signals": None}])
    def test_a_table_that_is_none_is_told(self, tmp_path: Path, table: object) -> None:
        document = {**json.loads(make_assignment().to_json()), "table": table}
        (tmp_path / "assignment.json").write_text(json.dumps(document))
        with pytest.raises(AssignmentError, match="table") as raised:
            read_assignment(settings(tmp_path))
        assert raised.value.reason is Reason.CONFIG_INVALID

    @pytest.mark.parametrize("content", ["[" * 100_000, "[]", "null", '{"table": ' + '{"a":' * 100_000])
    def test_a_document_that_is_no_assignment_is_told(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "assignment.json").write_text(content)
        for read in (read_assignment, read_finisher_assignment):
            with pytest.raises(AssignmentError, match="the assignment is not valid") as raised:
                read(settings(tmp_path))
            assert raised.value.reason is Reason.CONFIG_INVALID

    def test_another_assignment_than_the_pods_is_refused(self, tmp_path: Path) -> None:
        content = make_assignment().to_json().encode()
        (tmp_path / "assignment.json").write_bytes(content)
        own = replace(settings(tmp_path), assignment_sha256=assignment_sha256(content))
        assert read_assignment(own) == make_assignment()
        (tmp_path / "assignment.json").write_bytes(
            make_assignment(link="https://elsewhere.test/rooms/x").to_json().encode()
        )
        with pytest.raises(AssignmentError, match="not hold the assignment") as raised:
            read_assignment(own)
        assert raised.value.reason is Reason.CONFIG_INVALID


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


PASSCODE = "very-secret-7"


class TestPasscode:
    """The passcode of a Secret of the user's, which the kubelet mounts as a file."""

    def test_a_session_that_names_no_secret_has_none(self, tmp_path: Path) -> None:
        assert load_passcode(settings(tmp_path)) is None

    @pytest.mark.parametrize(
        ("content", "passcode"),
        [
            ("0042", "0042"),
            ("0042\n", "0042"),
            ("0042\r\n", "0042"),
            (" two words ", " two words "),
            ("Öffne dich 🔑", "Öffne dich 🔑"),
            ("x" * MAX_PASSCODE + "\n", "x" * MAX_PASSCODE),
        ],
    )
    def test_it_is_the_files_content_without_one_newline_at_its_end(
        self, tmp_path: Path, content: str, passcode: str
    ) -> None:
        (tmp_path / "passcode").write_bytes(content.encode())
        assert load_passcode(settings(tmp_path)) == passcode

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            (b"", "is empty"),
            (b"\n", "is empty"),
            (b"  ", "is empty"),
            (PASSCODE.encode() + b"x" * MAX_PASSCODE, "is longer than 128 characters"),
            (PASSCODE.encode() + b"\n\n", "holds control characters"),
            (PASSCODE.encode() + b"\t", "holds control characters"),
            (PASSCODE.encode() + b"\x00", "holds control characters"),
            (PASSCODE.encode() + b"\xc2\x85", "holds control characters"),
            (PASSCODE.encode() + b"\xff", "is not UTF-8 text"),
        ],
    )
    def test_what_can_be_no_passcode_is_told_by_its_field_never_by_its_value(
        self, tmp_path: Path, content: bytes, fault: str
    ) -> None:
        (tmp_path / "passcode").write_bytes(content)
        with pytest.raises(AssignmentError) as raised:
            load_passcode(settings(tmp_path))
        assert raised.value.reason is Reason.CONFIG_INVALID
        assert str(raised.value).startswith(f"the passcode in the Secret of spec.passcodeSecretRef {fault}")
        assert PASSCODE not in str(raised.value)

    def test_a_file_that_cannot_be_read_is_told_too(self, tmp_path: Path) -> None:
        (tmp_path / "passcode").mkdir()
        with pytest.raises(AssignmentError, match=r"spec\.passcodeSecretRef cannot be read") as raised:
            load_passcode(settings(tmp_path))
        assert raised.value.reason is Reason.CONFIG_INVALID

    async def test_one_that_is_empty_ends_the_session_before_anything_is_started(self, tmp_path: Path) -> None:
        outcome = await self.run_bot(tmp_path, "")
        assert (outcome["reason"], outcome["message"]) == (
            "ConfigInvalid",
            "the passcode in the Secret of spec.passcodeSecretRef is empty",
        )

    async def test_the_session_gets_it_and_nothing_that_is_written_holds_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def attend(components: Components, _: Attend) -> tuple[SessionResult, RecordingReport]:
            components.events.write("page_dialog", text=f"wrong: {components.secret_passcode}")
            return SessionResult(Reason.BOT_CRASHED, f"refused {components.secret_passcode}"), RecordingReport()

        monkeypatch.setattr(Components, "attend", attend)
        outcome = await self.run_bot(tmp_path, PASSCODE)
        assert outcome["message"] == "refused [redacted]"
        assert "wrong: [redacted]" in (tmp_path / "events.jsonl").read_text()
        log = capsys.readouterr()
        assert "refused [redacted]" in log.err
        assert [name for name, text in files(tmp_path).items() if PASSCODE in text] == ["passcode"]
        assert PASSCODE not in log.out + log.err

    @pytest.mark.parametrize(
        ("own", "secret", "passcode"),
        [(None, None, None), (None, "0042", "0042"), ("link7", None, "link7"), ("link7", "0042", "link7")],
    )
    def test_the_links_own_goes_first(self, own: str | None, secret: str | None, passcode: str | None) -> None:
        context: Any = SessionContext
        link = "https://teams.microsoft.com/meet/2412345678901" + (f"?p={own}" if own else "")
        assert context(None, None, parse_link(link), *[None] * 8, secret).passcode == passcode

    @pytest.mark.parametrize(("holder", "others"), [(SessionContext, 11), (Components, 10)])
    def test_no_representation_of_what_holds_it_shows_it(self, holder: Any, others: int) -> None:
        found = holder(*[None] * others, secret_passcode=PASSCODE)
        assert found.secret_passcode == PASSCODE
        assert PASSCODE not in repr(found)

    @staticmethod
    async def run_bot(folder: Path, passcode: str) -> dict[str, Any]:
        """Run a supervisor whose session, if it comes to that, is the test's; the termination message."""
        (folder / "assignment.json").write_text(make_assignment().to_json())
        (folder / "passcode").write_text(passcode)
        own = replace(settings(folder), recordings=folder, termination_log=folder / "termination-log", port=free_port())

        async def never(_: SessionContext) -> SessionResult:
            raise AssertionError("a session began")

        assert await Supervisor(own, never).run() == 0
        found: dict[str, Any] = json.loads(own.termination_log.read_text())
        return found


class SilentVolume(Volume):
    """Answers after it was asked ``silent`` times."""

    def __init__(self, folder: Path, silent: float, asked: Callable[[int], None] = lambda _: None) -> None:
        super().__init__(folder)
        self.asked = 0
        self._silent = silent
        self._on_asked = asked

    async def call(self, what: str, access: Callable[[], Any], seconds: float = 10.0) -> Any:
        self.asked += 1
        self._on_asked(self.asked)
        if self.asked <= self._silent:
            raise VolumeTimeoutError(what)
        return await super().call(what, access, seconds)


class TestVolumeAtTheStart:
    """A volume that does not answer when a bot starts is waited for; one that says no is not."""

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def attend(components: Components, _: Attend) -> tuple[SessionResult, RecordingReport]:
            return SessionResult(Reason.MEETING_ENDED), RecordingReport()

        monkeypatch.setattr(Components, "attend", attend)
        monkeypatch.setattr(volume_watch, "_RETRY_SECONDS", 0)

    @staticmethod
    async def run_bot(
        folder: Path, silent: float, *, leave_after: int = 0, attempt: int = 1, recordings: str = "recordings"
    ) -> tuple[dict[str, Any], SilentVolume]:
        """Run a supervisor on a volume that is silent for some time; the termination message and the volume."""
        (folder / "recordings").mkdir(exist_ok=True)
        (folder / "assignment.json").write_text(make_assignment(attempt=attempt).to_json())
        own = replace(
            settings(folder),
            recordings=folder / recordings,
            termination_log=folder / "termination-log",
            port=free_port(),
        )

        async def never(_: SessionContext) -> SessionResult:
            raise AssertionError("a session began")

        def asked(times: int) -> None:
            if times == leave_after:
                supervisor._leave.request(Reason.LEAVE_REQUESTED)

        supervisor = Supervisor(own, never)
        volume = supervisor._volume = SilentVolume(own.recordings, silent, asked)
        async with asyncio.timeout(60):
            assert await supervisor.run() == 0
        return json.loads(own.termination_log.read_text()), volume

    @pytest.mark.parametrize("attempt", [1, 2])
    async def test_it_is_asked_until_it_answers(self, tmp_path: Path, attempt: int) -> None:
        outcome, volume = await self.run_bot(tmp_path, 3, attempt=attempt)
        assert outcome["reason"] == "MeetingEnded"
        assert not outcome.get("storageUnresponsive")
        assert volume.asked > 3
        events = [json.loads(line)["event"] for line in (tmp_path / "recordings/events.jsonl").read_text().splitlines()]
        assert events[:3] == ["volume_trouble", "volume_back", "bot_started"]

    async def test_one_that_stays_silent_is_no_wrong_configuration(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(volume_watch, "HANGING_SECONDS", 0.2)
        outcome, volume = await self.run_bot(tmp_path, float("inf"))
        assert (outcome["reason"], outcome["message"]) == (
            "RecordingFailed",
            "the recordings volume cannot be used: the volume does not answer (check)",
        )
        assert volume.asked > 2

    async def test_a_request_to_leave_is_heard_meanwhile(self, tmp_path: Path) -> None:
        outcome, _ = await self.run_bot(tmp_path, float("inf"), leave_after=3)
        assert outcome["reason"] == "LeaveRequested"

    async def test_one_that_says_no_is_named_at_once(self, tmp_path: Path) -> None:
        outcome, volume = await self.run_bot(tmp_path, 0, recordings="missing")
        assert (outcome["reason"], outcome["message"]) == (
            "ConfigInvalid",
            "the recordings volume cannot be used: No such file or directory",
        )
        assert volume.asked == 2, "once, and once for the outcome"

    async def test_a_later_attempt_that_never_read_the_folder_writes_nothing_to_it(self, tmp_path: Path) -> None:
        (tmp_path / "recordings").mkdir()
        earlier = {
            "session.json": '{"participants": ["Ada"], "evidence": ["debug/x.png"]}',
            "events.jsonl": '{"t": 7200.0, "time": "2026-11-27T08:00:00.000Z", "event": "participant_left"}\n',
        }
        for name, content in earlier.items():
            (tmp_path / "recordings" / name).write_text(content)
        outcome, _ = await self.run_bot(tmp_path, 3, leave_after=3, attempt=2)
        assert outcome["reason"] == "LeaveRequested"
        assert files(tmp_path / "recordings") == earlier


class TestSettings:
    def test_the_pods_places_are_the_defaults(self) -> None:
        found = Settings.from_environment({})
        assert (str(found.recordings), found.port, found.display) == ("/recordings", 8470, 99)

    def test_the_environment_names_others(self) -> None:
        found = Settings.from_environment({"MEETING_BUDDY_PORT": "1234", "MEETING_BUDDY_RECORDINGS": "/elsewhere"})
        assert (found.port, found.recordings) == (1234, Path("/elsewhere"))

    def test_a_number_that_is_none_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="many"):
            Settings.from_environment({"MEETING_BUDDY_PORT": "many"})


class TestMemory:
    @staticmethod
    def version_2(root: Path, limit: str, usage: int, cache: int) -> None:
        (root / "memory.max").write_text(f"{limit}\n")
        (root / "memory.current").write_text(f"{usage}\n")
        (root / "memory.stat").write_text(f"anon 5\ninactive_file {cache}\n")

    @staticmethod
    def version_1(root: Path, limit: str, usage: int, cache: int) -> None:
        (root / "memory").mkdir()
        (root / "memory" / "memory.limit_in_bytes").write_text(f"{limit}\n")
        (root / "memory" / "memory.usage_in_bytes").write_text(f"{usage}\n")
        (root / "memory" / "memory.stat").write_text(f"inactive_file 1\ntotal_inactive_file {cache}\n")

    @pytest.mark.parametrize("version", ["version_1", "version_2"])
    def test_the_working_set_is_usage_without_inactive_cache(self, tmp_path: Path, version: str) -> None:
        getattr(self, version)(tmp_path, "1000", 900, 400)
        assert read_memory(tmp_path) == Memory(working_set=500, limit=1000)

    @pytest.mark.parametrize(("version", "limit"), [("version_1", "9223372036854771712"), ("version_2", "max")])
    def test_without_a_limit_there_is_nothing_to_watch(self, tmp_path: Path, version: str, limit: str) -> None:
        getattr(self, version)(tmp_path, limit, 900, 400)
        assert read_memory(tmp_path) is None

    def test_without_a_cgroup_there_is_nothing_to_watch(self, tmp_path: Path) -> None:
        assert read_memory(tmp_path) is None

    @pytest.mark.parametrize(
        ("used", "before", "pressed"),
        [(910, False, True), (890, False, False), (890, True, True), (790, True, False), (810, True, True)],
    )
    def test_pressure_comes_above_nine_tenths_and_goes_below_eight(
        self, used: int, before: bool, pressed: bool
    ) -> None:
        assert Memory(used, 1000).pressed(before) is pressed


class TestBudget:
    async def test_a_session_that_leaves_in_time_is_waited_for(self) -> None:
        clock = SessionClock()
        task = asyncio.create_task(asyncio.sleep(0.05))
        assert await ShutdownDeadline(clock, 100, 1800).leaving(task, clock.now())

    async def test_a_session_that_does_not_leave_is_given_its_share(self) -> None:
        clock = SessionClock()
        task = asyncio.create_task(asyncio.sleep(60))
        assert not await ShutdownDeadline(clock, 5, 1800).leaving(task, clock.now())
        assert 1.9 < clock.now() < 4.5  # 0.4 of the grace period, and not the 0.9 of finishing
        task.cancel()

    async def test_finishing_has_no_deadline_of_the_pod_without_a_sigterm(self) -> None:
        task = asyncio.create_task(asyncio.sleep(0.3))
        assert await ShutdownDeadline(SessionClock(), 0.1, 1800).finishing(task)

    async def test_finishing_has_the_seconds_of_the_assignment(self) -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        assert not await ShutdownDeadline(SessionClock(), 60, finish=0.1).finishing(task)
        task.cancel()

    async def test_a_sigterm_in_the_middle_of_finishing_shortens_it(self) -> None:
        clock = SessionClock()
        deadline = ShutdownDeadline(clock, 1.0, 1800)
        task = asyncio.create_task(asyncio.sleep(600))
        asyncio.get_running_loop().call_later(0.2, deadline.terminate)
        assert not await deadline.finishing(task)
        assert 1.0 < clock.now() < 300  # 0.2 + 0.9 of the grace period
        task.cancel()

    async def test_a_transcript_that_is_heard_out_leaves_time_for_its_files(self) -> None:
        clock = SessionClock()
        deadline = ShutdownDeadline(clock, 1.0, 1800)
        task = asyncio.create_task(asyncio.sleep(600))
        deadline.terminate()
        assert not await deadline.hearing_out(task)
        files = asyncio.create_task(asyncio.sleep(0))
        assert await deadline.finishing(files)
        task.cancel()
        assert not await ShutdownDeadline(SessionClock(), 60, finish=0.1).hearing_out(
            asyncio.create_task(asyncio.sleep(60))
        )


_COUNTS_REQUESTS = """
import signal, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
print("ready", flush=True)
while not asked:
    signal.pause()
time.sleep(0.5)  # what closing takes; a second request would come now
sys.exit(len(asked))
"""


async def test_a_child_is_asked_to_end_once_however_often_it_is_stopped() -> None:
    child = await Child.start("counter", [sys.executable, "-c", _COUNTS_REQUESTS], read_output=True)
    assert child.process.stdout is not None
    assert await child.process.stdout.readline() == b"ready\n"
    assert list(await asyncio.gather(child.stop(60), child.stop(60))) == [1, 1]
