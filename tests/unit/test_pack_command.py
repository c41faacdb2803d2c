"""`pack`: what becomes of a session's `debug/`; and how both commands refuse what they cannot use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from meeting_buddy.contract.table import PlatformTable
from meeting_buddy_bot.tools import cli
from meeting_buddy_bot.tools.make_pack import proposed_state
from meeting_buddy_bot.tools.offline_browser import PageAnswers
from meeting_buddy_bot.tools.page_pack import SavedDocument, SavedPage, read_pack, read_page
from tests.local.clone import REPOSITORY
from tests.support.platform_tables import platform_table

Save = Callable[..., None]


def typed(*arguments: str) -> int:
    """Exit code of the commands with these arguments."""
    return cli.main(arguments)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A session's folder with nothing in it."""
    (folder := tmp_path / "session").mkdir()
    return folder


@pytest.fixture
def save(session: Path) -> Save:
    """Saves a page as a bot does."""
    (session / "debug").mkdir()

    def saved(name: str, *signals: str, host: str = "app.zoom.us", **heard: list[str]) -> None:
        (session / "debug" / f"{name}.html").write_text(f"<!-- page {host} /wc/join -->\n<html>{name}</html>")
        (session / "debug" / f"{name}.png").write_bytes(b"picture")
        document = {"signals": signals, "dialogs": [], "console": [], **heard}
        (session / "debug" / f"{name}.signals.json").write_text(json.dumps(document))

    return saved


def written(out: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((out / "pack.yaml").read_text())
    return document


def test_a_session_becomes_a_pack_that_says_what_the_bot_saw(
    session: Path, save: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save("01-step", "step: join from browser")
    save("02-preJoin", "preJoin", "step: name", "step: join")
    save("03-lobby-WaitingRoom", "lobby/WaitingRoom", "step: name")
    save("04-inCall", "inCall", dialogs=["Leave site?"], console=["left: true"])
    save("05-inCall", "inCall", "step: join audio")
    save("06-inCall")
    save("RemovedFromMeeting", "ended/RemovedFromMeeting", "inCall")
    save("PageNotRecognised")
    out = tmp_path / "new" / "pack"
    assert typed("pack", str(session), str(out)) == 0
    pack = written(out)
    assert pack["platform"] == "Zoom"
    assert re.fullmatch(r"real, from a session's debug folder, \d{4}-\d\d-\d\d", pack["origin"])
    assert pack["hosts"] == ["app.zoom.us"]
    assert list(pack["states"].items()) == [
        ("join-from-browser", {"shows": None, "step": "join from browser", "file": "01-step"}),
        ("pre-join", {"shows": "preJoin", "step": "name", "file": "02-preJoin"}),
        (
            "lobby-waiting-room",
            {"shows": "lobby", "waiting": "WaitingRoom", "step": "name", "file": "03-lobby-WaitingRoom"},
        ),
        ("in-call", {"shows": "inCall", "file": "04-inCall", "dialogs": ["Leave site?"], "console": ["left: true"]}),
        ("in-call-2", {"shows": "inCall", "after": "in-call", "file": "05-inCall"}),
        ("page", {"shows": None, "after": "in-call", "file": "06-inCall"}),
        ("page-not-recognised", {"shows": None, "after": "in-call", "file": "PageNotRecognised"}),
        (
            "ended-removed-from-meeting",
            {"shows": "ended", "reason": "RemovedFromMeeting", "after": "in-call", "file": "RemovedFromMeeting"},
        ),
    ]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["pack.yaml", *(f"{name}.html" for name in pack["states"])]
    )
    assert (out / "pre-join.html").read_bytes() == (session / "debug" / "02-preJoin.html").read_bytes()
    told = capsys.readouterr().out
    assert all(f"{name}.html" in told for name in pack["states"])
    assert "look the files over before you send them" in told
    assert list(read_pack(out).pages) == list(pack["states"])


def test_the_signal_that_the_bot_judges_first_counts(session: Path) -> None:
    both = ["inCall", "refused/EntryDenied", "preJoin"]
    assert proposed_state(both, None, joined=False).reason == "EntryDenied"
    assert proposed_state(["preJoin", "step: name"], None, joined=True).step is None, "a bot in the call does not join"


@pytest.mark.parametrize(("joined", "shows"), [(False, "preJoin"), (True, "ended")])
def test_what_counts_only_after_joining_is_left_out_before(joined: bool, shows: str) -> None:
    zoom = platform_table("zoom")
    signals = tuple(
        each.model_copy(update={"after_join": True}) if each.reason == "MeetingEnded" else each for each in zoom.signals
    )
    table: PlatformTable = zoom.model_copy(update={"signals": signals})
    assert proposed_state(["ended/MeetingEnded", "preJoin"], table, joined=joined).shows == shows


def test_the_platform_is_given_where_nothing_tells_it(
    session: Path, save: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save("01-inCall", "inCall", host="meet.example.org")
    assert typed("pack", str(session), str(tmp_path / "pack")) == 2
    assert "--platform" in capsys.readouterr().err
    assert not (tmp_path / "pack").exists()
    assert typed("pack", str(session), str(tmp_path / "pack"), "--platform", "LiveKit") == 0
    assert written(tmp_path / "pack")["platform"] == "LiveKit"
    (session / "session.json").write_text('{"platform": "Jitsi"}')
    assert typed("pack", str(session), str(tmp_path / "second")) == 0
    assert written(tmp_path / "second")["platform"] == "Jitsi"


def test_a_folder_without_debug_and_an_out_that_is_taken_are_refused(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("pack", str(session), str(tmp_path / "pack")) == 2
    assert "debugMode: true" in capsys.readouterr().err
    (session / "debug").mkdir()
    assert typed("pack", str(session), str(tmp_path / "pack")) == 2
    assert "holds no page" in capsys.readouterr().err
    (session / "debug" / "01-inCall.html").write_text("<!-- page zoom.us / -->\n<html></html>")
    assert typed("pack", str(session), str(session)) == 2
    assert "not empty" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert typed("pack", str(session), str(tmp_path / "empty")) == 0


def test_a_saved_file_holds_a_page_and_its_frames(tmp_path: Path) -> None:
    (file := tmp_path / "page.html").write_text(
        "<!-- page zoom.us /wc/[redacted]/join -->\n<html>\n<p>a</p></html>\n"
        "<!-- frame zoom.us:8443 /wc/webclient -->\n<html>b</html>\n<!-- frame  blank -->\n<html>c</html>"
    )
    page = read_page(file)
    assert page.document == SavedDocument("zoom.us", "/wc/[redacted]/join", "<html>\n<p>a</p></html>\n")
    assert [(each.host, each.path, each.html.strip()) for each in page.frames] == [
        ("zoom.us:8443", "/wc/webclient", "<html>b</html>"),
        ("", "blank", "<html>c</html>"),
    ]


@pytest.mark.parametrize(
    ("signal", "heard", "words"),
    [
        ("ended/NewReason", {}, "'ended/NewReason' is of a newer version"),
        ("lobby/NewWaiting", {}, "'lobby/NewWaiting' is of a newer version"),
        ("sleeping", {}, "'sleeping' is of a newer version"),
        ("inCall", {"dialogs": None}, "dialogs is not a list"),
        ("inCall", {"signals": {"inCall": 1}}, "signals is not a list"),
    ],
)
def test_what_matched_on_a_page_is_refused_in_words(
    session: Path, save: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str], signal: str, heard: Any, words: str
) -> None:
    save("01-page", signal, **heard)
    assert typed("pack", str(session), str(tmp_path / "pack")) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "pack").exists()


def request(url: str, kind: str = "Document") -> dict[str, Any]:
    return {"resourceType": kind, "request": {"url": url}}


def test_nothing_but_the_saved_documents_is_answered() -> None:
    page = SavedDocument("zoom.us", "/wc/[redacted]", "<html></html>")
    frames = (SavedDocument("zoom.us", "/two words", ""), SavedDocument("zoom.us", "/three", ""))
    answers = PageAnswers(SavedPage(page, frames), "page 1")
    assert answers.to(request("https://zoom.us/wc/%5Bredacted%5D", "Script"))[0] == "Fetch.failRequest"
    assert answers.to(request("https://zoom.us/wc/%5Bredacted%5D"))[1]["responseCode"] == 200
    assert answers.to(request("https://zoom.us/two%20words"))[1]["responseCode"] == 200
    moved = answers.to(request("https://zoom.us/elsewhere"))[1]
    assert moved["responseHeaders"] == [{"name": "Location", "value": "https://zoom.us/three"}]
    assert answers.to(request("https://zoom.us/three"))[1]["responseCode"] == 200
    assert answers.unclaimed == ()
    assert answers.served == 3


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack of one page."""
    (folder := tmp_path / "pack").mkdir()
    (folder / "lobby.html").write_text("<!-- page zoom.us / -->\n<html></html>")
    states = {"lobby": {"shows": "lobby", "waiting": "WaitingRoom"}}
    document = {"platform": "Zoom", "origin": "real, …", "hosts": ["zoom.us"], "states": states}
    (folder / "pack.yaml").write_text(yaml.safe_dump(document))
    return folder


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("platform: Zoom\ntableHash: '0123456789abcdef'\ntimeouts: {join: soon}\n", "timeouts.join"),
        ("platform: Zoom\ntableHash: '0123456789abcdef'\nsignal: {}\n", "signal: unknown field"),
        ("tableVersion: 1\nplatform: Zoom\n", "checked"),
        ("platform: Webex\n", "platform: is Webex, and the pack shows Zoom"),
        ("just words", "is not a mapping"),
        ("a: [b", "is no YAML"),
        ("checked: 2026-02-30", "has a value that cannot be read: day is out of range for month"),
        ("checked: !!timestamp soon", "has a value that cannot be read"),
        ("[" * 10_000, "is nested too deep"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_by_its_field(
    table: str, words: str, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "zoom.yaml").write_text(table)
    assert typed("table", "check", str(file), str(pack)) == 2
    assert words in capsys.readouterr().err


def test_a_pack_that_cannot_be_used_is_told_by_its_file(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(folder: Path) -> str:
        assert typed("table", "check", "built-in", str(folder)) == 2
        return capsys.readouterr().err

    assert "it has no pack.yaml" in refusal(tmp_path)
    synthetic = REPOSITORY / "tests" / "local" / "meetings" / "packs" / "zoom"
    assert "python -m tests.local.meetings" in refusal(synthetic)
    (pack / "lobby.html").write_text("<html>without its first line</html>")
    assert "lobby.html does not have exactly one page" in refusal(pack)
    (pack / "lobby.html").unlink()
    assert "has no lobby.html" in refusal(pack)
    (pack / "pack.yaml").write_text("origin: 2026-02-30\n")
    assert "pack.yaml has a value that cannot be read: day is out of range for month" in refusal(pack)
    (pack / "pack.yaml").write_text("platform: Zoom\norigin: real\nhosts: []\nstates: {lobby: {shows: nowhere}}\n")
    assert "states.lobby.shows" in refusal(pack)


@pytest.mark.parametrize("arguments", ["--help", "pack --help", "table check --help"])
def test_help_has_an_example(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        typed(*arguments.split())
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "python -m meeting_buddy_bot" in told
    assert ("example:" in told) == (" " in arguments)


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        typed("tables")
    assert ended.value.code == 2
    assert "pack" in capsys.readouterr().err
