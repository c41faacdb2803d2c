"""Platform tables: strict where they are read, and the tables that we ship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from meeting_buddy.contract.links import Platform
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import Match, PlatformTable, Signal, State, load_table, table_hash
from tests.local.clone import PLATFORM_TABLES

SHIPPED = sorted(PLATFORM_TABLES.glob("*.yaml"))
SOURCE = "seen 2026-11-23: synthetic"


def raw_table() -> dict[str, Any]:
    return {
        "platform": "LiveKit",
        "checked": "2026-11-23",
        "source": SOURCE,
        "steps": [
            {"name": "join", "when": {"all": [{"css": "#join"}]}, "do": "click", "target": "#join", "source": SOURCE}
        ],
        "signals": [{"state": "in_call", "all": [{"css": "#own"}, {"css": "#leave"}], "source": SOURCE}],
        "leave": [],
        "people": {"tile": ".tile", "name": ".name", "own_tile": ".own", "source": SOURCE},
        "media": {"audio": "audio", "video": "video", "source": SOURCE},
    }


def test_a_small_table_is_enough() -> None:
    assert load_table(raw_table()).platform is Platform.LIVEKIT


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("steps", 0, "do"), "run_script", "do"),
        (("steps", 0, "script"), "alert(1)", "script"),
        (("steps", 0, "source"), "I remember", "source"),
        (("steps", 0, "target"), None, "needs a target"),
        (("steps", 0, "max"), 0, "max"),
        (("steps", 0, "when"), {"veto": [{"css": "x"}]}, "needs all or any"),
        (("steps", 0, "when"), {"all": [{}]}, "needs css, text"),
        (("steps", 0, "when"), {"all": [{"css": "x", "alert": "y"}]}, "stand alone"),
        (("steps", 0, "when"), {"all": [{"console": ["x"], "alert": "y"}]}, "stand alone"),
        (("signals", 0, "all"), [{"css": "#own"}], "two signs"),
        (("signals", 0, "state"), "ended", "needs a reason"),
        (("signals", 0, "state"), "pre_join", "in_call signal"),
        (("checked",), "yesterday", "checked"),
        (("platform",), "Skype", "platform"),
        (("devices",), {"microphone": "ask"}, "microphone"),
    ],
)
def test_a_mistake_in_a_table_is_found_where_it_is_read(path: tuple[Any, ...], value: Any, complaint: str) -> None:
    raw = raw_table()
    place: Any = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ValidationError, match=complaint):
        load_table(raw)


def test_two_steps_of_one_name_are_refused() -> None:
    raw = raw_table()
    raw["leave"] = [raw["steps"][0]]
    with pytest.raises(ValidationError, match="unique"):
        load_table(raw)


def test_the_hash_tells_tables_apart_and_survives_the_wire() -> None:
    table = load_table(raw_table())
    assert table_hash(PlatformTable.model_validate_json(table.model_dump_json())) == table_hash(table)
    other = raw_table()
    other["people"]["tile"] = ".other"
    assert table_hash(load_table(other)) != table_hash(table)


def test_equal_matches_are_one() -> None:
    assert len({Match(css="a", text="b"), Match(text="b", css="a"), Match(css="a")}) == 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_table_is_whole(path: Path) -> None:
    table = load_table(yaml.safe_load(path.read_text()))
    assert path.stem == table.platform.lower()
    assert table.leave, "a bot that cannot leave politely stays as a ghost"
    assert {signal.state for signal in table.signals} >= {State.ENDED, State.REFUSED, State.IN_CALL, State.PRE_JOIN}


def test_a_platform_is_a_table_and_nothing_else() -> None:
    folder = SHIPPED[0].parent
    code = [*folder.glob("*.py"), *folder.glob("*.js"), *folder.parent.glob("*.py")]
    for table in SHIPPED:
        platform = load_table(yaml.safe_load(table.read_text())).platform
        mentions = [path.name for path in code if f"Platform.{platform.name}" in path.read_text()]
        assert mentions == [], f"code that knows {platform}"


def test_signals_are_judged_ended_first_and_pre_join_last() -> None:
    assert list(State) == [
        State.ENDED,
        State.REFUSED,
        State.LOBBY,
        State.RECONNECTING,
        State.IN_CALL,
        State.PRE_JOIN,
    ]
    Signal(state=State.ENDED, reason=Reason.MEETING_ENDED, all=(Match(css="x"),), source=SOURCE)
