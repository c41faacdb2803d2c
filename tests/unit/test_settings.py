"""The operator's mounted files: which platform table wins, and which is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from meeting_buddy.app.settings import load_tables
from meeting_buddy.contract.links import Platform
from meeting_buddy.contract.table import table_hash
from tests.local.clone import PLATFORM_TABLES

SHIPPED = (PLATFORM_TABLES / "livekit.yaml").read_text()


def administrators(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder


def test_the_administrators_table_wins(tmp_path: Path) -> None:
    folder = administrators(tmp_path, "LiveKit.yaml", SHIPPED.replace("join: 60", "join: 61"))
    shipped, merged = load_tables([PLATFORM_TABLES]), load_tables([PLATFORM_TABLES, folder])
    assert merged[Platform.LIVEKIT].timeouts.join == 61
    assert table_hash(merged[Platform.LIVEKIT]) != table_hash(shipped[Platform.LIVEKIT])


def test_a_folder_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    assert load_tables([PLATFORM_TABLES, tmp_path / "nowhere"]) == load_tables([PLATFORM_TABLES])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("LiveKit.yaml", SHIPPED.replace("do: toggleOff", "do: destroy", 1), "LiveKit.yaml"),
        ("LiveKit.yaml", "{", "LiveKit.yaml"),
        ("Zoom.yaml", SHIPPED, "holds the table of LiveKit"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_the_name_of_its_file(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        load_tables([administrators(tmp_path, name, text)])
