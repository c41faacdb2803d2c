"""The operator's mounted files: which platform table is used, and what is said of one that is wrong."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from meeting_buddy.app.metrics import Metrics
from meeting_buddy.contract.links import Platform, SelfHostedHost, parse_link
from meeting_buddy.contract.table import PlatformTable, table_hash
from meeting_buddy.contract.table_override import OverrideState, ResolvedTable
from meeting_buddy.resource.config_files import load_tables
from tests.local.clone import PLATFORM_TABLES
from tests.support.small_table import raw_table

SHIPPED = (PLATFORM_TABLES / "livekit.yaml").read_text()
OVERRIDE = "{platform: LiveKit, tableHash: '%s', timeouts: {join: 61}}"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The image's folder, with LiveKit's table alone."""
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "livekit.yaml").write_text(SHIPPED)
    return folder


def administrators(folder: Path, name: str, text: str) -> Path:
    folder = folder / "administrator"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


def built_in(image: Path) -> PlatformTable:
    table = load_tables([image])["LiveKit"].table
    assert table is not None
    return table


def errors(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [vars(entry) for entry in caplog.records if entry.levelno >= logging.ERROR]


@pytest.mark.parametrize("name", ["LiveKit.yaml", "livekit.yaml"])
def test_the_administrators_whole_table_takes_the_built_in_ones_place(tmp_path: Path, image: Path, name: str) -> None:
    folder = administrators(tmp_path, name, SHIPPED.replace("join: 60", "join: 61"))
    found = load_tables([image, folder])["LiveKit"]
    assert found.table is not None
    assert (found.state, found.table.timeouts.join) == (OverrideState.USED, 61)
    assert table_hash(found.table) != table_hash(built_in(image))


def test_the_administrators_override_is_merged(tmp_path: Path, image: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = administrators(tmp_path, "LiveKit.yaml", OVERRIDE % table_hash(built_in(image)))
    found = load_tables([image, folder])["LiveKit"]
    assert found.table is not None
    assert (found.state, found.table.timeouts.join) == (OverrideState.USED, 61)
    assert found.table.elements == built_in(image).elements
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]


def test_an_override_for_another_built_in_table_is_used_with_a_warning(
    tmp_path: Path, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = load_tables([image, administrators(tmp_path, "LiveKit.yaml", OVERRIDE % ("0" * 16))])["LiveKit"]
    assert found.table is not None
    assert (found.state, found.table.timeouts.join) == (OverrideState.STALE, 61)
    [warning] = [vars(entry) for entry in caplog.records if entry.levelno == logging.WARNING]
    assert warning["platform"] == "LiveKit"


def test_the_log_says_which_hash_an_override_has_to_name(
    tmp_path: Path, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = administrators(tmp_path, "LiveKit.yaml", SHIPPED.replace("join: 60", "join: 61"))
    load_tables([image, folder])
    [entry] = [vars(entry) for entry in caplog.records if entry.message == "platform table"]
    assert entry["built_in_table_hash"] == table_hash(built_in(image)) != entry["table_hash"]


def test_a_folder_that_is_not_there_changes_nothing(tmp_path: Path, image: Path) -> None:
    assert load_tables([image, tmp_path / "nowhere"]) == load_tables([image])


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (SHIPPED.replace("do: toggleOff", "do: destroy", 1), "steps."),
        (OVERRIDE % "x", "tableHash"),
        ("platform: LiveKit\nsteps: {", "line 2"),
        ("platform: Zoom", "tableHash"),
        (yaml.safe_dump({**raw_table(), "platform": "Zoom"}), "platform"),
        ("\0", "file"),
    ],
)
def test_what_is_wrong_leaves_the_built_in_table_and_is_logged_by_file_and_field(
    tmp_path: Path, image: Path, caplog: pytest.LogCaptureFixture, text: str, field: str
) -> None:
    found = load_tables([image, administrators(tmp_path, "LiveKit.yaml", text)])["LiveKit"]
    assert (found.table, found.state) == (built_in(image), OverrideState.INVALID)
    [entry] = errors(caplog)
    assert str(entry["file"]).endswith("administrator/LiveKit.yaml")
    assert str(entry["field"]).startswith(field)
    assert found.fault is not None
    assert found.fault.field == entry["field"]


def test_a_file_that_cannot_be_read_leaves_the_built_in_table(tmp_path: Path, image: Path) -> None:
    (tmp_path / "administrator" / "LiveKit.yaml").mkdir(parents=True)
    assert load_tables([image, tmp_path / "administrator"])["LiveKit"].state is OverrideState.INVALID


def test_a_whole_table_can_bring_a_platform_that_has_no_built_in_one(tmp_path: Path, image: Path) -> None:
    text = yaml.safe_dump({**raw_table(), "platform": "Webex", "selfHosted": None})
    found = load_tables([image, administrators(tmp_path, "Webex.yaml", text)])[Platform.WEBEX]
    assert found.table is not None
    assert found.state is OverrideState.USED


def test_without_a_built_in_table_a_wrong_one_leaves_none(
    tmp_path: Path, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = load_tables([image, administrators(tmp_path, "Webex.yaml", "platform: Webex")])
    assert (found[Platform.WEBEX].table, found[Platform.WEBEX].state) == (None, OverrideState.INVALID)
    assert found["LiveKit"] == ResolvedTable(built_in(image))
    assert len(errors(caplog)) == 1


def test_a_file_of_no_platform_is_ignored_and_logged(
    tmp_path: Path, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_tables([image, administrators(tmp_path, "my jitsi.yaml", SHIPPED)]) == load_tables([image])
    assert len(errors(caplog)) == 1


def test_a_table_of_the_administrators_adds_a_self_hosted_kind(tmp_path: Path, image: Path) -> None:
    text = SHIPPED.replace("platform: LiveKit", "platform: Jitsi").replace("/rooms/{id}", "/{id}")
    found = load_tables([image, administrators(tmp_path, "Jitsi.yaml", text)])
    assert set(found) == {"LiveKit", "Jitsi"}
    table = found["Jitsi"].table
    assert table is not None
    host = SelfHostedHost(platform="Jitsi", host="meet.example.org")
    meeting = parse_link("https://meet.example.org/daily", "Jitsi", [host], {"Jitsi": table.link_rules})
    assert (meeting.platform, meeting.meeting_id) == ("Jitsi", "daily")


def test_a_kind_whose_only_table_is_wrong_has_none(
    tmp_path: Path, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = load_tables([image, administrators(tmp_path, "Jitsi.yaml", SHIPPED)])["Jitsi"]
    assert (found.table, found.state) == (None, OverrideState.INVALID)
    assert str(found.fault) == "platform: is LiveKit, and the file is named after Jitsi"
    assert "there is no other" in str(errors(caplog)[0]["msg"])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("livekit.yaml", SHIPPED.replace("do: toggleOff", "do: destroy", 1), "livekit.yaml"),
        ("livekit.yaml", "{", "livekit.yaml"),
        ("zoom.yaml", SHIPPED, "holds the table of LiveKit"),
    ],
)
def test_a_built_in_table_that_is_wrong_is_an_error_of_the_image(image: Path, name: str, text: str, says: str) -> None:
    (image / name).write_text(text)
    with pytest.raises(ValueError, match=says):
        load_tables([image])


def test_the_metric_says_what_became_of_each_override() -> None:
    metrics = Metrics()
    metrics.platform_table("LiveKit", None)
    metrics.platform_table(Platform.ZOOM, OverrideState.INVALID)
    lines = metrics.page().decode().splitlines()
    assert [line for line in lines if line.startswith("meetingbuddy_platform_table_overrides")] == [
        'meetingbuddy_platform_table_overrides{platform="Zoom",state="used"} 0.0',
        'meetingbuddy_platform_table_overrides{platform="Zoom",state="stale"} 0.0',
        'meetingbuddy_platform_table_overrides{platform="Zoom",state="invalid"} 1.0',
    ]


def test_the_metrics_of_transcripts_have_platform_and_result_as_labels_and_nothing_else() -> None:
    metrics = Metrics()
    metrics.transcript_progress(Platform.ZOOM, 3, 1.5)
    metrics.transcript_progress(Platform.ZOOM, 0, None)
    metrics.transcript_progress(Platform.ZOOM, 2, 40.0)
    metrics.transcript_ended(Platform.ZOOM, "Incomplete")
    lines = metrics.page().decode().splitlines()
    assert 'meetingbuddy_transcript_lines_total{platform="Zoom"} 5.0' in lines
    assert 'meetingbuddy_transcripts_total{platform="Zoom",result="Incomplete"} 1.0' in lines
    assert "meetingbuddy_transcript_lag_seconds_count 2.0" in lines
    assert "meetingbuddy_transcript_lag_seconds_sum 41.5" in lines
